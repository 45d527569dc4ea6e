
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'cosmos-tail' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'cosmos-tail'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'cosmos-tail' {
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file that says what flags and environment do not [env: COSMOS_TAIL_PROFILE]')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator` for the local emulator''s well-known address and key [env: AZURE_COSMOS_ENDPOINT]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database [env: AZURE_COSMOS_DATABASE]')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database [env: AZURE_COSMOS_DATABASE]')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container [env: AZURE_COSMOS_CONTAINER]')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container [env: AZURE_COSMOS_CONTAINER]')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to prove who you are [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that holds the account key; `-` reads it from standard input')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process: database `shop`, container `orders`')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: -v retries, splits and credentials; -vv what the SDK warns of; -vvv all it does')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: -v retries, splits and credentials; -vv what the SDK warns of; -vvv all it does')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('ranges', 'ranges', [CompletionResultType]::ParameterValue, 'List the feed ranges of a container')
            [CompletionResult]::new('tail', 'tail', [CompletionResultType]::ParameterValue, 'Watch the changes of a container as they happen')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Export the change feed of a container to files')
            [CompletionResult]::new('resume', 'resume', [CompletionResultType]::ParameterValue, 'Go on with an export: after a crash, or to read what came since it was finished')
            [CompletionResult]::new('demo', 'demo', [CompletionResultType]::ParameterValue, 'Keep an embedded account running, to try things on')
            [CompletionResult]::new('profiles', 'profiles', [CompletionResultType]::ParameterValue, 'List the profiles of the configuration file, without their secrets')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script of a shell')
            break
        }
        'cosmos-tail;ranges' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print the ranges')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file that says what flags and environment do not [env: COSMOS_TAIL_PROFILE]')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator` for the local emulator''s well-known address and key [env: AZURE_COSMOS_ENDPOINT]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database [env: AZURE_COSMOS_DATABASE]')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database [env: AZURE_COSMOS_DATABASE]')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container [env: AZURE_COSMOS_CONTAINER]')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container [env: AZURE_COSMOS_CONTAINER]')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to prove who you are [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that holds the account key; `-` reads it from standard input')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process: database `shop`, container `orders`')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: -v retries, splits and credentials; -vv what the SDK warns of; -vvv all it does')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: -v retries, splits and credentials; -vv what the SDK warns of; -vvv all it does')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;tail' {
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Where to start: `now` (the default), `beginning`, a time such as 2026-11-23T12:00:00Z, or an age such as 10m')
            [CompletionResult]::new('--until', '--until', [CompletionResultType]::ParameterName, 'Stop after the changes made up to this time, or up to this age ago')
            [CompletionResult]::new('--max', '--max', [CompletionResultType]::ParameterName, 'Stop after this many changes have been shown')
            [CompletionResult]::new('--idle-timeout', '--idle-timeout', [CompletionResultType]::ParameterName, 'Stop when nothing has changed for this long')
            [CompletionResult]::new('--mode', '--mode', [CompletionResultType]::ParameterName, 'Which feed to read')
            [CompletionResult]::new('--partition-key', '--partition-key', [CompletionResultType]::ParameterName, 'Only this partition key; again for each level of a hierarchical key')
            [CompletionResult]::new('--range', '--range', [CompletionResultType]::ParameterName, 'Only this feed range: its number or its portable form, both from `ranges`; can be repeated')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How a change is shown [default: json; with --mode all: envelope]')
            [CompletionResult]::new('--fields', '--fields', [CompletionResultType]::ParameterName, 'Show only these fields, such as id,customer.name')
            [CompletionResult]::new('--jq', '--jq', [CompletionResultType]::ParameterName, 'Show what this jq program makes of each change')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Whether to use colours; NO_COLOR switches them off too')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Where to write; standard output if not given')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Where to write; standard output if not given')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'Keep the position in this file, and go on from there when started again')
            [CompletionResult]::new('--concurrency', '--concurrency', [CompletionResultType]::ParameterName, 'Ranges read at the same time [default: by the number of ranges and cores]')
            [CompletionResult]::new('--page-size', '--page-size', [CompletionResultType]::ParameterName, 'Documents asked for in one page [default: 1000]')
            [CompletionResult]::new('--max-retries', '--max-retries', [CompletionResultType]::ParameterName, 'How often a page is tried again, beyond the SDK''s own tries, before its range is given up [default: 15]')
            [CompletionResult]::new('--poll-interval', '--poll-interval', [CompletionResultType]::ParameterName, 'How long a range that has nothing new is left alone, with --follow [default: 1s]')
            [CompletionResult]::new('--checkpoint-interval', '--checkpoint-interval', [CompletionResultType]::ParameterName, 'Save the position at least this often [default: 1s]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file that says what flags and environment do not [env: COSMOS_TAIL_PROFILE]')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator` for the local emulator''s well-known address and key [env: AZURE_COSMOS_ENDPOINT]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database [env: AZURE_COSMOS_DATABASE]')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database [env: AZURE_COSMOS_DATABASE]')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container [env: AZURE_COSMOS_CONTAINER]')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container [env: AZURE_COSMOS_CONTAINER]')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to prove who you are [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that holds the account key; `-` reads it from standard input')
            [CompletionResult]::new('--until-caught-up', '--until-caught-up', [CompletionResultType]::ParameterName, 'Stop where the container stood when the command began')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process: database `shop`, container `orders`')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: -v retries, splits and credentials; -vv what the SDK warns of; -vvv all it does')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: -v retries, splits and credentials; -vv what the SDK warns of; -vvv all it does')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;export' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Where to write: a directory, a file with the format''s extension, or `-` for standard output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Where to write: a directory, a file with the format''s extension, or `-` for standard output')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Format of the files')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Where to start: `beginning`, `now`, or a time such as 2026-11-23T12:00:00Z')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'Where to keep the state file; beside the output if not given')
            [CompletionResult]::new('--concurrency', '--concurrency', [CompletionResultType]::ParameterName, 'Ranges read at the same time [default: by the number of ranges and cores]')
            [CompletionResult]::new('--page-size', '--page-size', [CompletionResultType]::ParameterName, 'Documents asked for in one page [default: 1000]')
            [CompletionResult]::new('--max-retries', '--max-retries', [CompletionResultType]::ParameterName, 'How often a page is tried again, beyond the SDK''s own tries, before its range is given up [default: 15]')
            [CompletionResult]::new('--poll-interval', '--poll-interval', [CompletionResultType]::ParameterName, 'How long a range that has nothing new is left alone, with --follow [default: 1s]')
            [CompletionResult]::new('--checkpoint-interval', '--checkpoint-interval', [CompletionResultType]::ParameterName, 'Commit at least this often; a crash repeats no more work than that [default: 5s]')
            [CompletionResult]::new('--checkpoint-bytes', '--checkpoint-bytes', [CompletionResultType]::ParameterName, 'Commit after this many bytes, such as 64MiB [default: 256MiB]')
            [CompletionResult]::new('--summary', '--summary', [CompletionResultType]::ParameterName, 'How to print the summary at the end, on standard error')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file that says what flags and environment do not [env: COSMOS_TAIL_PROFILE]')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator` for the local emulator''s well-known address and key [env: AZURE_COSMOS_ENDPOINT]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database [env: AZURE_COSMOS_DATABASE]')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database [env: AZURE_COSMOS_DATABASE]')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container [env: AZURE_COSMOS_CONTAINER]')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container [env: AZURE_COSMOS_CONTAINER]')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to prove who you are [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that holds the account key; `-` reads it from standard input')
            [CompletionResult]::new('--follow', '--follow', [CompletionResultType]::ParameterName, 'Go on with new changes until stopped, instead of ending at where the container stood')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace output that an earlier export left')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process: database `shop`, container `orders`')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: -v retries, splits and credentials; -vv what the SDK warns of; -vvv all it does')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: -v retries, splits and credentials; -vv what the SDK warns of; -vvv all it does')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;resume' {
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The state file of the export')
            [CompletionResult]::new('--concurrency', '--concurrency', [CompletionResultType]::ParameterName, 'Ranges read at the same time [default: by the number of ranges and cores]')
            [CompletionResult]::new('--page-size', '--page-size', [CompletionResultType]::ParameterName, 'Documents asked for in one page [default: 1000]')
            [CompletionResult]::new('--max-retries', '--max-retries', [CompletionResultType]::ParameterName, 'How often a page is tried again, beyond the SDK''s own tries, before its range is given up [default: 15]')
            [CompletionResult]::new('--poll-interval', '--poll-interval', [CompletionResultType]::ParameterName, 'How long a range that has nothing new is left alone, with --follow [default: 1s]')
            [CompletionResult]::new('--checkpoint-interval', '--checkpoint-interval', [CompletionResultType]::ParameterName, 'Commit at least this often; a crash repeats no more work than that [default: 5s]')
            [CompletionResult]::new('--checkpoint-bytes', '--checkpoint-bytes', [CompletionResultType]::ParameterName, 'Commit after this many bytes, such as 64MiB [default: 256MiB]')
            [CompletionResult]::new('--summary', '--summary', [CompletionResultType]::ParameterName, 'How to print the summary at the end, on standard error')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file that says what flags and environment do not [env: COSMOS_TAIL_PROFILE]')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator` for the local emulator''s well-known address and key [env: AZURE_COSMOS_ENDPOINT]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database [env: AZURE_COSMOS_DATABASE]')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database [env: AZURE_COSMOS_DATABASE]')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container [env: AZURE_COSMOS_CONTAINER]')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container [env: AZURE_COSMOS_CONTAINER]')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to prove who you are [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that holds the account key; `-` reads it from standard input')
            [CompletionResult]::new('--follow', '--follow', [CompletionResultType]::ParameterName, 'Go on with new changes until stopped; what the export was started with if not given')
            [CompletionResult]::new('--no-follow', '--no-follow', [CompletionResultType]::ParameterName, 'Read the rest of an export that was started with --follow, and end')
            [CompletionResult]::new('--repair', '--repair', [CompletionResultType]::ParameterName, 'Throw away open files that do not match the state, and read their ranges again')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process: database `shop`, container `orders`')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: -v retries, splits and credentials; -vv what the SDK warns of; -vvv all it does')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: -v retries, splits and credentials; -vv what the SDK warns of; -vvv all it does')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;demo' {
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Port on the loopback address; 0 takes a free one')
            [CompletionResult]::new('--documents', '--documents', [CompletionResultType]::ParameterName, 'Documents in the container at the start')
            [CompletionResult]::new('--partitions', '--partitions', [CompletionResultType]::ParameterName, 'Physical partitions at the start')
            [CompletionResult]::new('--writes-per-second', '--writes-per-second', [CompletionResultType]::ParameterName, 'Writes a second: creates, replaces and deletes')
            [CompletionResult]::new('--split-every', '--split-every', [CompletionResultType]::ParameterName, 'Split the largest partition again and again, this often')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file that says what flags and environment do not [env: COSMOS_TAIL_PROFILE]')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator` for the local emulator''s well-known address and key [env: AZURE_COSMOS_ENDPOINT]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database [env: AZURE_COSMOS_DATABASE]')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database [env: AZURE_COSMOS_DATABASE]')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container [env: AZURE_COSMOS_CONTAINER]')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container [env: AZURE_COSMOS_CONTAINER]')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to prove who you are [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that holds the account key; `-` reads it from standard input')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process: database `shop`, container `orders`')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: -v retries, splits and credentials; -vv what the SDK warns of; -vvv all it does')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: -v retries, splits and credentials; -vv what the SDK warns of; -vvv all it does')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;profiles' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print the profiles')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file that says what flags and environment do not [env: COSMOS_TAIL_PROFILE]')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator` for the local emulator''s well-known address and key [env: AZURE_COSMOS_ENDPOINT]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database [env: AZURE_COSMOS_DATABASE]')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database [env: AZURE_COSMOS_DATABASE]')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container [env: AZURE_COSMOS_CONTAINER]')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container [env: AZURE_COSMOS_CONTAINER]')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to prove who you are [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that holds the account key; `-` reads it from standard input')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process: database `shop`, container `orders`')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: -v retries, splits and credentials; -vv what the SDK warns of; -vvv all it does')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: -v retries, splits and credentials; -vv what the SDK warns of; -vvv all it does')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;completions' {
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file that says what flags and environment do not [env: COSMOS_TAIL_PROFILE]')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator` for the local emulator''s well-known address and key [env: AZURE_COSMOS_ENDPOINT]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database [env: AZURE_COSMOS_DATABASE]')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database [env: AZURE_COSMOS_DATABASE]')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container [env: AZURE_COSMOS_CONTAINER]')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container [env: AZURE_COSMOS_CONTAINER]')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to prove who you are [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that holds the account key; `-` reads it from standard input')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process: database `shop`, container `orders`')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more: -v retries, splits and credentials; -vv what the SDK warns of; -vvv all it does')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more: -v retries, splits and credentials; -vv what the SDK warns of; -vvv all it does')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
