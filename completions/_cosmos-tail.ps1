
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
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator`')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]')
            [CompletionResult]::new('--token-scope', '--token-scope', [CompletionResultType]::ParameterName, 'Scope of the Entra ID token [default: that of the endpoint''s cloud]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to authenticate [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that contains the account key')
            [CompletionResult]::new('--priority', '--priority', [CompletionResultType]::ParameterName, 'Priority of all requests, in accounts with priority-based execution')
            [CompletionResult]::new('--throughput-bucket', '--throughput-bucket', [CompletionResultType]::ParameterName, 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]')
            [CompletionResult]::new('--limit-to-endpoint', '--limit-to-endpoint', [CompletionResultType]::ParameterName, 'Send all requests to the endpoint, not to the addresses that the account names for its regions')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('ranges', 'ranges', [CompletionResultType]::ParameterValue, 'List the feed ranges of a container')
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List the databases and containers of an account')
            [CompletionResult]::new('tail', 'tail', [CompletionResultType]::ParameterValue, 'Watch the changes of a container as they happen')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Export the change feed of a container to files')
            [CompletionResult]::new('schema', 'schema', [CompletionResultType]::ParameterValue, 'Print the columns that an export to CSV, Parquet or Arrow would infer')
            [CompletionResult]::new('resume', 'resume', [CompletionResultType]::ParameterValue, 'Continue an export: after a crash, or to read changes made since it finished')
            [CompletionResult]::new('lag', 'lag', [CompletionResultType]::ParameterValue, 'Measure how far an export, a tail or a replay is behind its container')
            [CompletionResult]::new('leases', 'leases', [CompletionResultType]::ParameterValue, 'List the leases of change feed processors (.NET, Java, Functions)')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Check an export against its own manifest and state, without contacting the service')
            [CompletionResult]::new('replay', 'replay', [CompletionResultType]::ParameterValue, 'Write exported changes to a container')
            [CompletionResult]::new('demo', 'demo', [CompletionResultType]::ParameterValue, 'Run an embedded account to try things on')
            [CompletionResult]::new('profiles', 'profiles', [CompletionResultType]::ParameterValue, 'List the profiles of the configuration file, add one, or test a connection')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script of a shell')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'cosmos-tail;ranges' {
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator`')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]')
            [CompletionResult]::new('--token-scope', '--token-scope', [CompletionResultType]::ParameterName, 'Scope of the Entra ID token [default: that of the endpoint''s cloud]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to authenticate [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that contains the account key')
            [CompletionResult]::new('--priority', '--priority', [CompletionResultType]::ParameterName, 'Priority of all requests, in accounts with priority-based execution')
            [CompletionResult]::new('--throughput-bucket', '--throughput-bucket', [CompletionResultType]::ParameterName, 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print the list [default: table]')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]')
            [CompletionResult]::new('--limit-to-endpoint', '--limit-to-endpoint', [CompletionResultType]::ParameterName, 'Send all requests to the endpoint, not to the addresses that the account names for its regions')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process')
            [CompletionResult]::new('--wide', '--wide', [CompletionResultType]::ParameterName, 'Print whole bounds, and the portable form of each range')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;ls' {
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator`')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]')
            [CompletionResult]::new('--token-scope', '--token-scope', [CompletionResultType]::ParameterName, 'Scope of the Entra ID token [default: that of the endpoint''s cloud]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to authenticate [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that contains the account key')
            [CompletionResult]::new('--priority', '--priority', [CompletionResultType]::ParameterName, 'Priority of all requests, in accounts with priority-based execution')
            [CompletionResult]::new('--throughput-bucket', '--throughput-bucket', [CompletionResultType]::ParameterName, 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print the list [default: table]')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]')
            [CompletionResult]::new('--limit-to-endpoint', '--limit-to-endpoint', [CompletionResultType]::ParameterName, 'Send all requests to the endpoint, not to the addresses that the account names for its regions')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;tail' {
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Start: `now`, `beginning`, a time, or an age such as 10m')
            [CompletionResult]::new('--until', '--until', [CompletionResultType]::ParameterName, 'Stop after changes up to this time or age')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Stop after this many changes')
            [CompletionResult]::new('--max', '--max', [CompletionResultType]::ParameterName, 'Stop after this many changes')
            [CompletionResult]::new('--idle-timeout', '--idle-timeout', [CompletionResultType]::ParameterName, 'Stop when nothing has changed for this long')
            [CompletionResult]::new('--mode', '--mode', [CompletionResultType]::ParameterName, 'Which feed to read [default: latest]')
            [CompletionResult]::new('--partition-key', '--partition-key', [CompletionResultType]::ParameterName, 'Only this key; once for each level of it')
            [CompletionResult]::new('--range', '--range', [CompletionResultType]::ParameterName, 'Only this feed range: its number or its portable form, both from `ranges`; can be repeated')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print a change')
            [CompletionResult]::new('--width', '--width', [CompletionResultType]::ParameterName, 'Cut the lines of --format line and diff to this width [default: that of the terminal; to a pipe, none]')
            [CompletionResult]::new('--fields', '--fields', [CompletionResultType]::ParameterName, 'Only these fields, such as id,customer.name')
            [CompletionResult]::new('--jq', '--jq', [CompletionResultType]::ParameterName, 'Print what this jq program returns')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Whether to use colors; NO_COLOR and TERM=dumb switch them off too [default: auto]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write to this file, each change once')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write to this file, each change once')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'Keep the position here, and continue from it')
            [CompletionResult]::new('--concurrency', '--concurrency', [CompletionResultType]::ParameterName, 'Ranges read at the same time [default: by the number of ranges and cores]')
            [CompletionResult]::new('--page-size', '--page-size', [CompletionResultType]::ParameterName, 'Documents requested in one page [default: 1000]')
            [CompletionResult]::new('--max-retries', '--max-retries', [CompletionResultType]::ParameterName, 'How often a page is retried, beyond the SDK''s own retries, before its range fails [default: no limit]')
            [CompletionResult]::new('--max-ru', '--max-ru', [CompletionResultType]::ParameterName, 'Use at most this many RU/s for reading, or this share of the throughput such as 20%, or `none` [default: none]')
            [CompletionResult]::new('--poll-interval', '--poll-interval', [CompletionResultType]::ParameterName, 'How long to wait before a range without changes is polled again, with --follow [default: 1s]')
            [CompletionResult]::new('--checkpoint-interval', '--checkpoint-interval', [CompletionResultType]::ParameterName, 'Commit at least this often; a crash repeats at most this much work [default: 1s]')
            [CompletionResult]::new('--metrics-listen', '--metrics-listen', [CompletionResultType]::ParameterName, 'Serve /metrics, /healthz, /readyz and /progress at this address, such as 127.0.0.1:9464')
            [CompletionResult]::new('--health-timeout', '--health-timeout', [CompletionResultType]::ParameterName, '/healthz is 503 once the account has not answered a request for this long, retries included [default: 1m]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator`')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]')
            [CompletionResult]::new('--token-scope', '--token-scope', [CompletionResultType]::ParameterName, 'Scope of the Entra ID token [default: that of the endpoint''s cloud]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to authenticate [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that contains the account key')
            [CompletionResult]::new('--priority', '--priority', [CompletionResultType]::ParameterName, 'Priority of all requests, in accounts with priority-based execution')
            [CompletionResult]::new('--throughput-bucket', '--throughput-bucket', [CompletionResultType]::ParameterName, 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]')
            [CompletionResult]::new('--until-caught-up', '--until-caught-up', [CompletionResultType]::ParameterName, 'Stop once the service has nothing newer')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Keep reading new changes until stopped, as a tail does without it')
            [CompletionResult]::new('--follow', '--follow', [CompletionResultType]::ParameterName, 'Keep reading new changes until stopped, as a tail does without it')
            [CompletionResult]::new('--wide', '--wide', [CompletionResultType]::ParameterName, 'Do not cut lines')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'With --jq: strings without quotes')
            [CompletionResult]::new('--raw-output', '--raw-output', [CompletionResultType]::ParameterName, 'With --jq: strings without quotes')
            [CompletionResult]::new('--metrics-per-range', '--metrics-per-range', [CompletionResultType]::ParameterName, 'Add metrics of each feed range; a container can have thousands')
            [CompletionResult]::new('--limit-to-endpoint', '--limit-to-endpoint', [CompletionResultType]::ParameterName, 'Send all requests to the endpoint, not to the addresses that the account names for its regions')
            [CompletionResult]::new('--account-moved', '--account-moved', [CompletionResultType]::ParameterName, 'Continue at the endpoint that is given, although the state names another')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;export' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'A directory, a file such as orders.csv, az://…/, or `-`')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'A directory, a file such as orders.csv, az://…/, or `-`')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Start: `beginning`, `now`, a time, or an age such as 10m')
            [CompletionResult]::new('--mode', '--mode', [CompletionResultType]::ParameterName, 'Feed; see --snapshot')
            [CompletionResult]::new('--until', '--until', [CompletionResultType]::ParameterName, 'How far to read each range [default: head; with --mode all: pin]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'Where to keep the state file')
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Read what this query selects instead of the feed')
            [CompletionResult]::new('--query-file', '--query-file', [CompletionResultType]::ParameterName, 'The same from a file')
            [CompletionResult]::new('--parameter', '--parameter', [CompletionResultType]::ParameterName, 'The value of a parameter of the query; once for each')
            [CompletionResult]::new('--partition-key', '--partition-key', [CompletionResultType]::ParameterName, 'Query only this partition key; once for each level of a hierarchical key')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Format, if the name of the output does not say it')
            [CompletionResult]::new('--compression', '--compression', [CompletionResultType]::ParameterName, 'none, gzip, zstd, snappy or lz4, such as zstd:9')
            [CompletionResult]::new('--delimiter', '--delimiter', [CompletionResultType]::ParameterName, 'CSV: the delimiter between cells: one ASCII character, or `tab` [default: ,]')
            [CompletionResult]::new('--null', '--null', [CompletionResultType]::ParameterName, 'CSV: the text of a cell without a value [default: empty]')
            [CompletionResult]::new('--rotate-bytes', '--rotate-bytes', [CompletionResultType]::ParameterName, 'Finish a file that has reached this size, such as 1GiB, or `none` [default: none; Parquet and Arrow: 128MiB]')
            [CompletionResult]::new('--rotate-interval', '--rotate-interval', [CompletionResultType]::ParameterName, 'Finish files at least this often, or `none` [default: none; Parquet and Arrow: 10m]')
            [CompletionResult]::new('--row-group-size', '--row-group-size', [CompletionResultType]::ParameterName, 'Parquet: finish a row group that takes this much memory [default: 16MiB]')
            [CompletionResult]::new('--schema', '--schema', [CompletionResultType]::ParameterName, '`infer` the columns, read them from a FILE, or write `raw` documents')
            [CompletionResult]::new('--columns', '--columns', [CompletionResultType]::ParameterName, 'Columns, such as id,customer.name,total:double')
            [CompletionResult]::new('--sample', '--sample', [CompletionResultType]::ParameterName, 'Infer columns from this many pages of each range')
            [CompletionResult]::new('--extra', '--extra', [CompletionResultType]::ParameterName, 'What to do with values that fit no column: `keep` them in `_extra`, `drop` them, or `fail` [default: keep]')
            [CompletionResult]::new('--system-fields', '--system-fields', [CompletionResultType]::ParameterName, 'What to do with _ts, _etag, _rid and the like')
            [CompletionResult]::new('--concurrency', '--concurrency', [CompletionResultType]::ParameterName, 'Ranges read at the same time [default: by the number of ranges and cores]')
            [CompletionResult]::new('--page-size', '--page-size', [CompletionResultType]::ParameterName, 'Documents requested in one page [default: 1000]')
            [CompletionResult]::new('--max-retries', '--max-retries', [CompletionResultType]::ParameterName, 'How often a page is retried, beyond the SDK''s own retries, before its range fails [default: 15]')
            [CompletionResult]::new('--max-ru', '--max-ru', [CompletionResultType]::ParameterName, 'Use at most this many RU/s for reading, or this share of the throughput such as 20%, or `none` [default: none]')
            [CompletionResult]::new('--poll-interval', '--poll-interval', [CompletionResultType]::ParameterName, 'How long to wait before a range without changes is polled again, with --follow [default: 1s]')
            [CompletionResult]::new('--checkpoint-interval', '--checkpoint-interval', [CompletionResultType]::ParameterName, 'Commit at least this often; a crash repeats at most this much work [default: 5s]')
            [CompletionResult]::new('--checkpoint-bytes', '--checkpoint-bytes', [CompletionResultType]::ParameterName, 'Commit after this many bytes, such as 64MiB [default: 256MiB]')
            [CompletionResult]::new('--summary', '--summary', [CompletionResultType]::ParameterName, 'Form of the summary')
            [CompletionResult]::new('--metrics-listen', '--metrics-listen', [CompletionResultType]::ParameterName, 'Serve /metrics, /healthz, /readyz and /progress at this address, such as 127.0.0.1:9464')
            [CompletionResult]::new('--health-timeout', '--health-timeout', [CompletionResultType]::ParameterName, '/healthz is 503 once the account has not answered a request for this long, retries included [default: 1m]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator`')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]')
            [CompletionResult]::new('--token-scope', '--token-scope', [CompletionResultType]::ParameterName, 'Scope of the Entra ID token [default: that of the endpoint''s cloud]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to authenticate [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that contains the account key')
            [CompletionResult]::new('--priority', '--priority', [CompletionResultType]::ParameterName, 'Priority of all requests, in accounts with priority-based execution')
            [CompletionResult]::new('--throughput-bucket', '--throughput-bucket', [CompletionResultType]::ParameterName, 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Keep reading new changes until stopped')
            [CompletionResult]::new('--follow', '--follow', [CompletionResultType]::ParameterName, 'Keep reading new changes until stopped')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace the output of an earlier export')
            [CompletionResult]::new('--snapshot', '--snapshot', [CompletionResultType]::ParameterName, 'With --mode all: all documents first, then every version and delete since the export began')
            [CompletionResult]::new('--masked', '--masked', [CompletionResultType]::ParameterName, 'Export masked values where the container masks some and this credential may not see them')
            [CompletionResult]::new('--csv-safe', '--csv-safe', [CompletionResultType]::ParameterName, 'CSV: put a `''` before text that a spreadsheet would take for a formula; this alters data')
            [CompletionResult]::new('--csv-bom', '--csv-bom', [CompletionResultType]::ParameterName, 'CSV: begin each file with a byte order mark, by which Excel recognizes UTF-8')
            [CompletionResult]::new('--detect-timestamps', '--detect-timestamps', [CompletionResultType]::ParameterName, 'Make timestamps of ISO 8601 times')
            [CompletionResult]::new('--strict-types', '--strict-types', [CompletionResultType]::ParameterName, 'Make JSON of fields with several types')
            [CompletionResult]::new('--metrics-per-range', '--metrics-per-range', [CompletionResultType]::ParameterName, 'Add metrics of each feed range; a container can have thousands')
            [CompletionResult]::new('--limit-to-endpoint', '--limit-to-endpoint', [CompletionResultType]::ParameterName, 'Send all requests to the endpoint, not to the addresses that the account names for its regions')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;schema' {
            [CompletionResult]::new('--query', '--query', [CompletionResultType]::ParameterName, 'Read what this query selects instead of the feed')
            [CompletionResult]::new('--query-file', '--query-file', [CompletionResultType]::ParameterName, 'The same from a file')
            [CompletionResult]::new('--parameter', '--parameter', [CompletionResultType]::ParameterName, 'The value of a parameter of the query; once for each')
            [CompletionResult]::new('--partition-key', '--partition-key', [CompletionResultType]::ParameterName, 'Query only this partition key; once for each level of a hierarchical key')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Start: `beginning`, a time, or an age such as 10m')
            [CompletionResult]::new('--columns', '--columns', [CompletionResultType]::ParameterName, 'Columns, such as id,customer.name,total:double')
            [CompletionResult]::new('--sample', '--sample', [CompletionResultType]::ParameterName, 'Infer columns from this many pages of each range')
            [CompletionResult]::new('--diff', '--diff', [CompletionResultType]::ParameterName, 'Compare the documents with the columns of an export or a file')
            [CompletionResult]::new('--system-fields', '--system-fields', [CompletionResultType]::ParameterName, 'What to do with _ts, _etag, _rid and the like')
            [CompletionResult]::new('--concurrency', '--concurrency', [CompletionResultType]::ParameterName, 'Ranges read at the same time [default: by the number of ranges and cores]')
            [CompletionResult]::new('--page-size', '--page-size', [CompletionResultType]::ParameterName, 'Documents requested in one page [default: 1000]')
            [CompletionResult]::new('--max-retries', '--max-retries', [CompletionResultType]::ParameterName, 'How often a page is retried, beyond the SDK''s own retries, before its range fails [default: 15]')
            [CompletionResult]::new('--max-ru', '--max-ru', [CompletionResultType]::ParameterName, 'Use at most this many RU/s for reading, or this share of the throughput such as 20%, or `none` [default: none]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator`')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]')
            [CompletionResult]::new('--token-scope', '--token-scope', [CompletionResultType]::ParameterName, 'Scope of the Entra ID token [default: that of the endpoint''s cloud]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to authenticate [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that contains the account key')
            [CompletionResult]::new('--priority', '--priority', [CompletionResultType]::ParameterName, 'Priority of all requests, in accounts with priority-based execution')
            [CompletionResult]::new('--throughput-bucket', '--throughput-bucket', [CompletionResultType]::ParameterName, 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]')
            [CompletionResult]::new('--masked', '--masked', [CompletionResultType]::ParameterName, 'Export masked values where the container masks some and this credential may not see them')
            [CompletionResult]::new('--detect-timestamps', '--detect-timestamps', [CompletionResultType]::ParameterName, 'Make timestamps of ISO 8601 times')
            [CompletionResult]::new('--strict-types', '--strict-types', [CompletionResultType]::ParameterName, 'Make JSON of fields with several types')
            [CompletionResult]::new('--limit-to-endpoint', '--limit-to-endpoint', [CompletionResultType]::ParameterName, 'Send all requests to the endpoint, not to the addresses that the account names for its regions')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;resume' {
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The state file, if it is not beside the output')
            [CompletionResult]::new('--until', '--until', [CompletionResultType]::ParameterName, 'How far to read each range [default: from the state]')
            [CompletionResult]::new('--rotate-bytes', '--rotate-bytes', [CompletionResultType]::ParameterName, 'Finish a file that has reached this size, such as 1GiB, or `none` [default: from the state]')
            [CompletionResult]::new('--rotate-interval', '--rotate-interval', [CompletionResultType]::ParameterName, 'Finish files at least this often, or `none` [default: from the state]')
            [CompletionResult]::new('--row-group-size', '--row-group-size', [CompletionResultType]::ParameterName, 'Parquet: finish a row group that takes this much memory [default: from the state]')
            [CompletionResult]::new('--extra', '--extra', [CompletionResultType]::ParameterName, 'What to do with values that fit no column: `keep` them in `_extra`, `drop` them, or `fail` [default: from the state]')
            [CompletionResult]::new('--concurrency', '--concurrency', [CompletionResultType]::ParameterName, 'Ranges read at the same time [default: from the state]')
            [CompletionResult]::new('--page-size', '--page-size', [CompletionResultType]::ParameterName, 'Documents requested in one page [default: from the state]')
            [CompletionResult]::new('--max-retries', '--max-retries', [CompletionResultType]::ParameterName, 'How often a page is retried, beyond the SDK''s own retries, before its range fails [default: from the state]')
            [CompletionResult]::new('--max-ru', '--max-ru', [CompletionResultType]::ParameterName, 'Use at most this many RU/s for reading, or this share of the throughput such as 20%, or `none` [default: from the state]')
            [CompletionResult]::new('--poll-interval', '--poll-interval', [CompletionResultType]::ParameterName, 'How long to wait before a range without changes is polled again, with --follow [default: from the state]')
            [CompletionResult]::new('--checkpoint-interval', '--checkpoint-interval', [CompletionResultType]::ParameterName, 'Commit at least this often; a crash repeats at most this much work [default: from the state]')
            [CompletionResult]::new('--checkpoint-bytes', '--checkpoint-bytes', [CompletionResultType]::ParameterName, 'Commit after this many bytes, such as 64MiB [default: from the state]')
            [CompletionResult]::new('--summary', '--summary', [CompletionResultType]::ParameterName, 'Form of the summary')
            [CompletionResult]::new('--metrics-listen', '--metrics-listen', [CompletionResultType]::ParameterName, 'Serve /metrics, /healthz, /readyz and /progress at this address, such as 127.0.0.1:9464')
            [CompletionResult]::new('--health-timeout', '--health-timeout', [CompletionResultType]::ParameterName, '/healthz is 503 once the account has not answered a request for this long, retries included [default: 1m]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator`')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]')
            [CompletionResult]::new('--token-scope', '--token-scope', [CompletionResultType]::ParameterName, 'Scope of the Entra ID token [default: that of the endpoint''s cloud]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to authenticate [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that contains the account key')
            [CompletionResult]::new('--priority', '--priority', [CompletionResultType]::ParameterName, 'Priority of all requests, in accounts with priority-based execution')
            [CompletionResult]::new('--throughput-bucket', '--throughput-bucket', [CompletionResultType]::ParameterName, 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Keep reading new changes until stopped')
            [CompletionResult]::new('--follow', '--follow', [CompletionResultType]::ParameterName, 'Keep reading new changes until stopped')
            [CompletionResult]::new('--no-follow', '--no-follow', [CompletionResultType]::ParameterName, 'Read the rest of an export that follows, and end')
            [CompletionResult]::new('--save-options', '--save-options', [CompletionResultType]::ParameterName, 'Keep the options of this resume in the state, for later ones')
            [CompletionResult]::new('--repair', '--repair', [CompletionResultType]::ParameterName, 'Read again what open files should have')
            [CompletionResult]::new('--widen', '--widen', [CompletionResultType]::ParameterName, 'Add columns for new fields to new files')
            [CompletionResult]::new('--metrics-per-range', '--metrics-per-range', [CompletionResultType]::ParameterName, 'Add metrics of each feed range; a container can have thousands')
            [CompletionResult]::new('--limit-to-endpoint', '--limit-to-endpoint', [CompletionResultType]::ParameterName, 'Send all requests to the endpoint, not to the addresses that the account names for its regions')
            [CompletionResult]::new('--account-moved', '--account-moved', [CompletionResultType]::ParameterName, 'Continue at the endpoint that is given, although the state names another')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;lag' {
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'The state file, if it is not beside the output')
            [CompletionResult]::new('--group', '--group', [CompletionResultType]::ParameterName, 'A group of change feed processors')
            [CompletionResult]::new('--leases', '--leases', [CompletionResultType]::ParameterName, 'The lease container of the group, such as shop/leases')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Measure again after each pause of this length')
            [CompletionResult]::new('--fail-above', '--fail-above', [CompletionResultType]::ParameterName, 'Exit with code 4 if the lag is above 1000 or 10m')
            [CompletionResult]::new('--max-ru', '--max-ru', [CompletionResultType]::ParameterName, 'Use at most this many RU/s for measuring, or this share of the throughput such as 20%, or `none` [default: none]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator`')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]')
            [CompletionResult]::new('--token-scope', '--token-scope', [CompletionResultType]::ParameterName, 'Scope of the Entra ID token [default: that of the endpoint''s cloud]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to authenticate [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that contains the account key')
            [CompletionResult]::new('--priority', '--priority', [CompletionResultType]::ParameterName, 'Priority of all requests, in accounts with priority-based execution')
            [CompletionResult]::new('--throughput-bucket', '--throughput-bucket', [CompletionResultType]::ParameterName, 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print the list [default: table]')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]')
            [CompletionResult]::new('--limit-to-endpoint', '--limit-to-endpoint', [CompletionResultType]::ParameterName, 'Send all requests to the endpoint, not to the addresses that the account names for its regions')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;leases' {
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator`')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]')
            [CompletionResult]::new('--token-scope', '--token-scope', [CompletionResultType]::ParameterName, 'Scope of the Entra ID token [default: that of the endpoint''s cloud]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to authenticate [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that contains the account key')
            [CompletionResult]::new('--priority', '--priority', [CompletionResultType]::ParameterName, 'Priority of all requests, in accounts with priority-based execution')
            [CompletionResult]::new('--throughput-bucket', '--throughput-bucket', [CompletionResultType]::ParameterName, 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]')
            [CompletionResult]::new('--limit-to-endpoint', '--limit-to-endpoint', [CompletionResultType]::ParameterName, 'Send all requests to the endpoint, not to the addresses that the account names for its regions')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List leases, with their owners, positions and lags')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Find what is wrong with groups, such as ranges that nobody reads')
            [CompletionResult]::new('repair', 'repair', [CompletionResultType]::ParameterValue, 'Create leases that are missing, and delete those that are doubled')
            [CompletionResult]::new('reset', 'reset', [CompletionResultType]::ParameterValue, 'Move leases to another position, back or forth')
            [CompletionResult]::new('release', 'release', [CompletionResultType]::ParameterValue, 'Take leases from their instances, so that others can have them')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Print the leases of a group as JSON, for `import` and for .NET')
            [CompletionResult]::new('import', 'import', [CompletionResultType]::ParameterValue, 'Create a group from leases that were exported')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'cosmos-tail;leases;list' {
            [CompletionResult]::new('--leases', '--leases', [CompletionResultType]::ParameterName, 'The lease container, such as shop/leases')
            [CompletionResult]::new('--group', '--group', [CompletionResultType]::ParameterName, 'Only this group: the processor''s name')
            [CompletionResult]::new('--expiration-interval', '--expiration-interval', [CompletionResultType]::ParameterName, 'After how long a lease that is not renewed is free, as the processors are set [default: 60s]')
            [CompletionResult]::new('--stuck-after', '--stuck-after', [CompletionResultType]::ParameterName, 'How long a change may wait before its lease is stuck')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'List again after each pause of this length, until stopped')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator`')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]')
            [CompletionResult]::new('--token-scope', '--token-scope', [CompletionResultType]::ParameterName, 'Scope of the Entra ID token [default: that of the endpoint''s cloud]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to authenticate [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that contains the account key')
            [CompletionResult]::new('--priority', '--priority', [CompletionResultType]::ParameterName, 'Priority of all requests, in accounts with priority-based execution')
            [CompletionResult]::new('--throughput-bucket', '--throughput-bucket', [CompletionResultType]::ParameterName, 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print the list [default: table]')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]')
            [CompletionResult]::new('--wide', '--wide', [CompletionResultType]::ParameterName, 'Print whole names, however wide the terminal is')
            [CompletionResult]::new('--limit-to-endpoint', '--limit-to-endpoint', [CompletionResultType]::ParameterName, 'Send all requests to the endpoint, not to the addresses that the account names for its regions')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;leases;check' {
            [CompletionResult]::new('--leases', '--leases', [CompletionResultType]::ParameterName, 'The lease container, such as shop/leases')
            [CompletionResult]::new('--group', '--group', [CompletionResultType]::ParameterName, 'Only this group: the processor''s name')
            [CompletionResult]::new('--expiration-interval', '--expiration-interval', [CompletionResultType]::ParameterName, 'After how long a lease that is not renewed is free, as the processors are set [default: 60s]')
            [CompletionResult]::new('--stuck-after', '--stuck-after', [CompletionResultType]::ParameterName, 'How long a change may wait before its lease is stuck')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator`')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]')
            [CompletionResult]::new('--token-scope', '--token-scope', [CompletionResultType]::ParameterName, 'Scope of the Entra ID token [default: that of the endpoint''s cloud]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to authenticate [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that contains the account key')
            [CompletionResult]::new('--priority', '--priority', [CompletionResultType]::ParameterName, 'Priority of all requests, in accounts with priority-based execution')
            [CompletionResult]::new('--throughput-bucket', '--throughput-bucket', [CompletionResultType]::ParameterName, 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print the list [default: table]')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]')
            [CompletionResult]::new('--strict', '--strict', [CompletionResultType]::ParameterName, 'Fail for what may pass by itself too')
            [CompletionResult]::new('--limit-to-endpoint', '--limit-to-endpoint', [CompletionResultType]::ParameterName, 'Send all requests to the endpoint, not to the addresses that the account names for its regions')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;leases;repair' {
            [CompletionResult]::new('--leases', '--leases', [CompletionResultType]::ParameterName, 'The lease container, such as shop/leases')
            [CompletionResult]::new('--group', '--group', [CompletionResultType]::ParameterName, 'The group: the processor''s name')
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'Where created leases begin: `beginning`, `now`, a time')
            [CompletionResult]::new('--lease-format', '--lease-format', [CompletionResultType]::ParameterName, 'Whose leases to create [default: that of the group''s leases]')
            [CompletionResult]::new('--expiration-interval', '--expiration-interval', [CompletionResultType]::ParameterName, 'After how long a lease that is not renewed is free, as the processors are set [default: 60s]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator`')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]')
            [CompletionResult]::new('--token-scope', '--token-scope', [CompletionResultType]::ParameterName, 'Scope of the Entra ID token [default: that of the endpoint''s cloud]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to authenticate [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that contains the account key')
            [CompletionResult]::new('--priority', '--priority', [CompletionResultType]::ParameterName, 'Priority of all requests, in accounts with priority-based execution')
            [CompletionResult]::new('--throughput-bucket', '--throughput-bucket', [CompletionResultType]::ParameterName, 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print what would be done, and change nothing')
            [CompletionResult]::new('--limit-to-endpoint', '--limit-to-endpoint', [CompletionResultType]::ParameterName, 'Send all requests to the endpoint, not to the addresses that the account names for its regions')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;leases;reset' {
            [CompletionResult]::new('--leases', '--leases', [CompletionResultType]::ParameterName, 'The lease container, such as shop/leases')
            [CompletionResult]::new('--group', '--group', [CompletionResultType]::ParameterName, 'The group: the processor''s name')
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, '`beginning`, `now`, a time, an age such as 10m, or an LSN')
            [CompletionResult]::new('--range', '--range', [CompletionResultType]::ParameterName, 'Only this lease, as `leases list` names it')
            [CompletionResult]::new('--settle', '--settle', [CompletionResultType]::ParameterName, 'With --force: for how long to look whether an instance brings the old position back [default: 30s]')
            [CompletionResult]::new('--expiration-interval', '--expiration-interval', [CompletionResultType]::ParameterName, 'After how long a lease that is not renewed is free, as the processors are set [default: 60s]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator`')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]')
            [CompletionResult]::new('--token-scope', '--token-scope', [CompletionResultType]::ParameterName, 'Scope of the Entra ID token [default: that of the endpoint''s cloud]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to authenticate [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that contains the account key')
            [CompletionResult]::new('--priority', '--priority', [CompletionResultType]::ParameterName, 'Priority of all requests, in accounts with priority-based execution')
            [CompletionResult]::new('--throughput-bucket', '--throughput-bucket', [CompletionResultType]::ParameterName, 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Take leases from instances that have them')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print what would be done, and change nothing')
            [CompletionResult]::new('--limit-to-endpoint', '--limit-to-endpoint', [CompletionResultType]::ParameterName, 'Send all requests to the endpoint, not to the addresses that the account names for its regions')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;leases;release' {
            [CompletionResult]::new('--leases', '--leases', [CompletionResultType]::ParameterName, 'The lease container, such as shop/leases')
            [CompletionResult]::new('--group', '--group', [CompletionResultType]::ParameterName, 'The group: the processor''s name')
            [CompletionResult]::new('--range', '--range', [CompletionResultType]::ParameterName, 'Only this lease, as `leases list` names it')
            [CompletionResult]::new('--expiration-interval', '--expiration-interval', [CompletionResultType]::ParameterName, 'After how long a lease that is not renewed is free, as the processors are set [default: 60s]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator`')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]')
            [CompletionResult]::new('--token-scope', '--token-scope', [CompletionResultType]::ParameterName, 'Scope of the Entra ID token [default: that of the endpoint''s cloud]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to authenticate [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that contains the account key')
            [CompletionResult]::new('--priority', '--priority', [CompletionResultType]::ParameterName, 'Priority of all requests, in accounts with priority-based execution')
            [CompletionResult]::new('--throughput-bucket', '--throughput-bucket', [CompletionResultType]::ParameterName, 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Take leases from instances that have them')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print what would be done, and change nothing')
            [CompletionResult]::new('--limit-to-endpoint', '--limit-to-endpoint', [CompletionResultType]::ParameterName, 'Send all requests to the endpoint, not to the addresses that the account names for its regions')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;leases;export' {
            [CompletionResult]::new('--leases', '--leases', [CompletionResultType]::ParameterName, 'The lease container, such as shop/leases')
            [CompletionResult]::new('--group', '--group', [CompletionResultType]::ParameterName, 'The group: the processor''s name')
            [CompletionResult]::new('--expiration-interval', '--expiration-interval', [CompletionResultType]::ParameterName, 'After how long a lease that is not renewed is free, as the processors are set [default: 60s]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator`')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]')
            [CompletionResult]::new('--token-scope', '--token-scope', [CompletionResultType]::ParameterName, 'Scope of the Entra ID token [default: that of the endpoint''s cloud]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to authenticate [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that contains the account key')
            [CompletionResult]::new('--priority', '--priority', [CompletionResultType]::ParameterName, 'Priority of all requests, in accounts with priority-based execution')
            [CompletionResult]::new('--throughput-bucket', '--throughput-bucket', [CompletionResultType]::ParameterName, 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]')
            [CompletionResult]::new('--limit-to-endpoint', '--limit-to-endpoint', [CompletionResultType]::ParameterName, 'Send all requests to the endpoint, not to the addresses that the account names for its regions')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;leases;import' {
            [CompletionResult]::new('--leases', '--leases', [CompletionResultType]::ParameterName, 'The lease container, such as shop/leases')
            [CompletionResult]::new('--group', '--group', [CompletionResultType]::ParameterName, 'The group: the processor''s name')
            [CompletionResult]::new('--lease-format', '--lease-format', [CompletionResultType]::ParameterName, 'Whose leases to create [default: dotnet]')
            [CompletionResult]::new('--expiration-interval', '--expiration-interval', [CompletionResultType]::ParameterName, 'After how long a lease that is not renewed is free, as the processors are set [default: 60s]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator`')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]')
            [CompletionResult]::new('--token-scope', '--token-scope', [CompletionResultType]::ParameterName, 'Scope of the Entra ID token [default: that of the endpoint''s cloud]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to authenticate [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that contains the account key')
            [CompletionResult]::new('--priority', '--priority', [CompletionResultType]::ParameterName, 'Priority of all requests, in accounts with priority-based execution')
            [CompletionResult]::new('--throughput-bucket', '--throughput-bucket', [CompletionResultType]::ParameterName, 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Print what would be done, and change nothing')
            [CompletionResult]::new('--limit-to-endpoint', '--limit-to-endpoint', [CompletionResultType]::ParameterName, 'Send all requests to the endpoint, not to the addresses that the account names for its regions')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;leases;help' {
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List leases, with their owners, positions and lags')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Find what is wrong with groups, such as ranges that nobody reads')
            [CompletionResult]::new('repair', 'repair', [CompletionResultType]::ParameterValue, 'Create leases that are missing, and delete those that are doubled')
            [CompletionResult]::new('reset', 'reset', [CompletionResultType]::ParameterValue, 'Move leases to another position, back or forth')
            [CompletionResult]::new('release', 'release', [CompletionResultType]::ParameterValue, 'Take leases from their instances, so that others can have them')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Print the leases of a group as JSON, for `import` and for .NET')
            [CompletionResult]::new('import', 'import', [CompletionResultType]::ParameterValue, 'Create a group from leases that were exported')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'cosmos-tail;leases;help;list' {
            break
        }
        'cosmos-tail;leases;help;check' {
            break
        }
        'cosmos-tail;leases;help;repair' {
            break
        }
        'cosmos-tail;leases;help;reset' {
            break
        }
        'cosmos-tail;leases;help;release' {
            break
        }
        'cosmos-tail;leases;help;export' {
            break
        }
        'cosmos-tail;leases;help;import' {
            break
        }
        'cosmos-tail;leases;help;help' {
            break
        }
        'cosmos-tail;verify' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print the findings [default: text]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator`')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]')
            [CompletionResult]::new('--token-scope', '--token-scope', [CompletionResultType]::ParameterName, 'Scope of the Entra ID token [default: that of the endpoint''s cloud]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to authenticate [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that contains the account key')
            [CompletionResult]::new('--priority', '--priority', [CompletionResultType]::ParameterName, 'Priority of all requests, in accounts with priority-based execution')
            [CompletionResult]::new('--throughput-bucket', '--throughput-bucket', [CompletionResultType]::ParameterName, 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]')
            [CompletionResult]::new('--strict', '--strict', [CompletionResultType]::ParameterName, 'Report harmless differences as faults too')
            [CompletionResult]::new('--limit-to-endpoint', '--limit-to-endpoint', [CompletionResultType]::ParameterName, 'Send all requests to the endpoint, not to the addresses that the account names for its regions')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;replay' {
            [CompletionResult]::new('--input', '--input', [CompletionResultType]::ParameterName, 'What the sources hold, if they do not say so themselves [default: what the source says; otherwise documents]')
            [CompletionResult]::new('--delimiter', '--delimiter', [CompletionResultType]::ParameterName, 'CSV that no export wrote: the delimiter between cells: one ASCII character, or `tab` [default: what the header shows: a comma, a semicolon, a tab or `|`]')
            [CompletionResult]::new('--types', '--types', [CompletionResultType]::ParameterName, 'CSV that no export wrote: the types of columns, such as total:double,paid:boolean,tags:json')
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Only changes since this time, or age such as 10m')
            [CompletionResult]::new('--until', '--until', [CompletionResultType]::ParameterName, 'Only changes made at this time or earlier, or at this age or older')
            [CompletionResult]::new('--speed', '--speed', [CompletionResultType]::ParameterName, 'Apply changes at this multiple of the speed at which they were made: a number, or max [default: max]')
            [CompletionResult]::new('--transform', '--transform', [CompletionResultType]::ParameterName, 'Write what this jq program returns')
            [CompletionResult]::new('--partition-key', '--partition-key', [CompletionResultType]::ParameterName, 'Partition key of it, such as /customerId')
            [CompletionResult]::new('--throughput', '--throughput', [CompletionResultType]::ParameterName, 'Throughput of the new container in RU/s [default: the default of the account]')
            [CompletionResult]::new('--from-container', '--from-container', [CompletionResultType]::ParameterName, 'Replay the feed of this container, such as shop/orders')
            [CompletionResult]::new('--source-profile', '--source-profile', [CompletionResultType]::ParameterName, 'Profile of the account of --from-container')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Where the feed starts: `beginning`, `now`, a time such as 2026-11-23, or an age such as 10m [default: beginning; with --mode all: now]')
            [CompletionResult]::new('--mode', '--mode', [CompletionResultType]::ParameterName, 'Which feed to read [default: latest]')
            [CompletionResult]::new('--write-mode', '--write-mode', [CompletionResultType]::ParameterName, 'How to write a document whose id exists already [default: upsert]')
            [CompletionResult]::new('--ttl-deletes', '--ttl-deletes', [CompletionResultType]::ParameterName, 'Whether deletions by time to live are applied [default: apply]')
            [CompletionResult]::new('--ttl', '--ttl', [CompletionResultType]::ParameterName, 'What becomes of the time to live of documents, which the service counts from their last write [default: keep]')
            [CompletionResult]::new('--missing-key', '--missing-key', [CompletionResultType]::ParameterName, 'Whether to write documents without a value at the partition key of the target [default: write, unless no document has a value]')
            [CompletionResult]::new('--id-collisions', '--id-collisions', [CompletionResultType]::ParameterName, 'Whether a document may replace another one of the source that has the same id and partition key in the target [default: refuse]')
            [CompletionResult]::new('--concurrency', '--concurrency', [CompletionResultType]::ParameterName, 'Writes in flight at the same time, each to a different partition key [default: 32]')
            [CompletionResult]::new('--batch-size', '--batch-size', [CompletionResultType]::ParameterName, 'Maximum number of documents of one partition key upserted in one request; 1 for no batches [default: 100]')
            [CompletionResult]::new('--max-ru', '--max-ru', [CompletionResultType]::ParameterName, 'Use at most this many RU/s, or this share of the target''s throughput such as 20%; reading the source counts too, if it is a container')
            [CompletionResult]::new('--max-retries', '--max-retries', [CompletionResultType]::ParameterName, 'How often a write is retried after an error of the service or the network [default: 15]')
            [CompletionResult]::new('--dead-letter', '--dead-letter', [CompletionResultType]::ParameterName, 'Keep changes that cannot be applied in this file')
            [CompletionResult]::new('--max-errors', '--max-errors', [CompletionResultType]::ParameterName, 'Stop when more than this many changes could not be applied [default: 0; with --dead-letter: no limit]')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'Keep the position here, and continue from it')
            [CompletionResult]::new('--checkpoint-interval', '--checkpoint-interval', [CompletionResultType]::ParameterName, 'Save the position at least this often [default: 1s]')
            [CompletionResult]::new('--checkpoint-changes', '--checkpoint-changes', [CompletionResultType]::ParameterName, 'Apply at most this many changes beyond the saved position; a crash repeats no more, or twice as many from the feed of a container [default: 10000]')
            [CompletionResult]::new('--metrics-listen', '--metrics-listen', [CompletionResultType]::ParameterName, 'Serve /metrics, /healthz, /readyz and /progress at this address, such as 127.0.0.1:9464')
            [CompletionResult]::new('--health-timeout', '--health-timeout', [CompletionResultType]::ParameterName, '/healthz is 503 once the account has not answered a request for this long, retries included [default: 1m]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator`')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]')
            [CompletionResult]::new('--token-scope', '--token-scope', [CompletionResultType]::ParameterName, 'Scope of the Entra ID token [default: that of the endpoint''s cloud]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to authenticate [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that contains the account key')
            [CompletionResult]::new('--priority', '--priority', [CompletionResultType]::ParameterName, 'Priority of all requests, in accounts with priority-based execution')
            [CompletionResult]::new('--throughput-bucket', '--throughput-bucket', [CompletionResultType]::ParameterName, 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets')
            [CompletionResult]::new('--summary', '--summary', [CompletionResultType]::ParameterName, 'Form of the summary')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]')
            [CompletionResult]::new('--stdout', '--stdout', [CompletionResultType]::ParameterName, 'Write to standard output instead')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Report what would happen, write nothing')
            [CompletionResult]::new('--create', '--create', [CompletionResultType]::ParameterName, 'Create the target container')
            [CompletionResult]::new('--snapshot', '--snapshot', [CompletionResultType]::ParameterName, 'With --mode all: all documents first, then every version and delete since the replay began')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Keep replaying new changes until stopped')
            [CompletionResult]::new('--follow', '--follow', [CompletionResultType]::ParameterName, 'Keep replaying new changes until stopped')
            [CompletionResult]::new('--metrics-per-range', '--metrics-per-range', [CompletionResultType]::ParameterName, 'Add metrics of each feed range; a container can have thousands')
            [CompletionResult]::new('--limit-to-endpoint', '--limit-to-endpoint', [CompletionResultType]::ParameterName, 'Send all requests to the endpoint, not to the addresses that the account names for its regions')
            [CompletionResult]::new('--account-moved', '--account-moved', [CompletionResultType]::ParameterName, 'Continue at the endpoint that is given, although the state names another')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;demo' {
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Port on the loopback address; 0 for a free one [default: 0]')
            [CompletionResult]::new('--documents', '--documents', [CompletionResultType]::ParameterName, 'Documents in the container at the start [default: 10000]')
            [CompletionResult]::new('--partitions', '--partitions', [CompletionResultType]::ParameterName, 'Physical partitions at the start [default: 4]')
            [CompletionResult]::new('--writes-per-second', '--writes-per-second', [CompletionResultType]::ParameterName, 'Writes per second: creates, replaces and deletes [default: 5]')
            [CompletionResult]::new('--split-every', '--split-every', [CompletionResultType]::ParameterName, 'Split the largest partition repeatedly, at this interval')
            [CompletionResult]::new('--metrics-listen', '--metrics-listen', [CompletionResultType]::ParameterName, 'Serve /metrics, /healthz, /readyz and /progress at this address, such as 127.0.0.1:9464')
            [CompletionResult]::new('--health-timeout', '--health-timeout', [CompletionResultType]::ParameterName, '/healthz is 503 once the account has not answered a request for this long, retries included [default: 1m]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator`')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]')
            [CompletionResult]::new('--token-scope', '--token-scope', [CompletionResultType]::ParameterName, 'Scope of the Entra ID token [default: that of the endpoint''s cloud]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to authenticate [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that contains the account key')
            [CompletionResult]::new('--priority', '--priority', [CompletionResultType]::ParameterName, 'Priority of all requests, in accounts with priority-based execution')
            [CompletionResult]::new('--throughput-bucket', '--throughput-bucket', [CompletionResultType]::ParameterName, 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]')
            [CompletionResult]::new('--previous-images', '--previous-images', [CompletionResultType]::ParameterName, 'Keep what a change replaced: `previous` in the feed of all versions and deletes')
            [CompletionResult]::new('--metrics-per-range', '--metrics-per-range', [CompletionResultType]::ParameterName, 'Add metrics of each feed range; a container can have thousands')
            [CompletionResult]::new('--limit-to-endpoint', '--limit-to-endpoint', [CompletionResultType]::ParameterName, 'Send all requests to the endpoint, not to the addresses that the account names for its regions')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;profiles' {
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator`')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]')
            [CompletionResult]::new('--token-scope', '--token-scope', [CompletionResultType]::ParameterName, 'Scope of the Entra ID token [default: that of the endpoint''s cloud]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to authenticate [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that contains the account key')
            [CompletionResult]::new('--priority', '--priority', [CompletionResultType]::ParameterName, 'Priority of all requests, in accounts with priority-based execution')
            [CompletionResult]::new('--throughput-bucket', '--throughput-bucket', [CompletionResultType]::ParameterName, 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print the list [default: table]')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]')
            [CompletionResult]::new('--limit-to-endpoint', '--limit-to-endpoint', [CompletionResultType]::ParameterName, 'Send all requests to the endpoint, not to the addresses that the account names for its regions')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a profile to the configuration file')
            [CompletionResult]::new('use', 'use', [CompletionResultType]::ParameterValue, 'Set the profile that is used when none is named')
            [CompletionResult]::new('test', 'test', [CompletionResultType]::ParameterValue, 'Check the connection step by step, and print what to do about what fails')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'cosmos-tail;profiles;add' {
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator`')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]')
            [CompletionResult]::new('--token-scope', '--token-scope', [CompletionResultType]::ParameterName, 'Scope of the Entra ID token [default: that of the endpoint''s cloud]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to authenticate [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that contains the account key')
            [CompletionResult]::new('--priority', '--priority', [CompletionResultType]::ParameterName, 'Priority of all requests, in accounts with priority-based execution')
            [CompletionResult]::new('--throughput-bucket', '--throughput-bucket', [CompletionResultType]::ParameterName, 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]')
            [CompletionResult]::new('--store-key', '--store-key', [CompletionResultType]::ParameterName, 'Store the key that the environment or standard input gives in a file beside the configuration')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace the profile if it exists')
            [CompletionResult]::new('--limit-to-endpoint', '--limit-to-endpoint', [CompletionResultType]::ParameterName, 'Send all requests to the endpoint, not to the addresses that the account names for its regions')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;profiles;use' {
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator`')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]')
            [CompletionResult]::new('--token-scope', '--token-scope', [CompletionResultType]::ParameterName, 'Scope of the Entra ID token [default: that of the endpoint''s cloud]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to authenticate [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that contains the account key')
            [CompletionResult]::new('--priority', '--priority', [CompletionResultType]::ParameterName, 'Priority of all requests, in accounts with priority-based execution')
            [CompletionResult]::new('--throughput-bucket', '--throughput-bucket', [CompletionResultType]::ParameterName, 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]')
            [CompletionResult]::new('--limit-to-endpoint', '--limit-to-endpoint', [CompletionResultType]::ParameterName, 'Send all requests to the endpoint, not to the addresses that the account names for its regions')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;profiles;test' {
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator`')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]')
            [CompletionResult]::new('--token-scope', '--token-scope', [CompletionResultType]::ParameterName, 'Scope of the Entra ID token [default: that of the endpoint''s cloud]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to authenticate [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that contains the account key')
            [CompletionResult]::new('--priority', '--priority', [CompletionResultType]::ParameterName, 'Priority of all requests, in accounts with priority-based execution')
            [CompletionResult]::new('--throughput-bucket', '--throughput-bucket', [CompletionResultType]::ParameterName, 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How to print the list [default: table]')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]')
            [CompletionResult]::new('--limit-to-endpoint', '--limit-to-endpoint', [CompletionResultType]::ParameterName, 'Send all requests to the endpoint, not to the addresses that the account names for its regions')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;profiles;help' {
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a profile to the configuration file')
            [CompletionResult]::new('use', 'use', [CompletionResultType]::ParameterValue, 'Set the profile that is used when none is named')
            [CompletionResult]::new('test', 'test', [CompletionResultType]::ParameterValue, 'Check the connection step by step, and print what to do about what fails')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'cosmos-tail;profiles;help;add' {
            break
        }
        'cosmos-tail;profiles;help;use' {
            break
        }
        'cosmos-tail;profiles;help;test' {
            break
        }
        'cosmos-tail;profiles;help;help' {
            break
        }
        'cosmos-tail;completions' {
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile of the configuration file')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'Endpoint of the account, or `emulator`')
            [CompletionResult]::new('--region', '--region', [CompletionResultType]::ParameterName, 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]')
            [CompletionResult]::new('--token-scope', '--token-scope', [CompletionResultType]::ParameterName, 'Scope of the Entra ID token [default: that of the endpoint''s cloud]')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('--database', '--database', [CompletionResultType]::ParameterName, 'Name of the database')
            [CompletionResult]::new('-c', '-c', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--container', '--container', [CompletionResultType]::ParameterName, 'Name of the container')
            [CompletionResult]::new('--auth', '--auth', [CompletionResultType]::ParameterName, 'How to authenticate [default: auto]')
            [CompletionResult]::new('--key-file', '--key-file', [CompletionResultType]::ParameterName, 'File that contains the account key')
            [CompletionResult]::new('--priority', '--priority', [CompletionResultType]::ParameterName, 'Priority of all requests, in accounts with priority-based execution')
            [CompletionResult]::new('--throughput-bucket', '--throughput-bucket', [CompletionResultType]::ParameterName, 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]')
            [CompletionResult]::new('--limit-to-endpoint', '--limit-to-endpoint', [CompletionResultType]::ParameterName, 'Send all requests to the endpoint, not to the addresses that the account names for its regions')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use an account embedded in this process')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Print more; -vv and -vvv the SDK''s log')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors: no progress, no summary')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'cosmos-tail;help' {
            [CompletionResult]::new('ranges', 'ranges', [CompletionResultType]::ParameterValue, 'List the feed ranges of a container')
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List the databases and containers of an account')
            [CompletionResult]::new('tail', 'tail', [CompletionResultType]::ParameterValue, 'Watch the changes of a container as they happen')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Export the change feed of a container to files')
            [CompletionResult]::new('schema', 'schema', [CompletionResultType]::ParameterValue, 'Print the columns that an export to CSV, Parquet or Arrow would infer')
            [CompletionResult]::new('resume', 'resume', [CompletionResultType]::ParameterValue, 'Continue an export: after a crash, or to read changes made since it finished')
            [CompletionResult]::new('lag', 'lag', [CompletionResultType]::ParameterValue, 'Measure how far an export, a tail or a replay is behind its container')
            [CompletionResult]::new('leases', 'leases', [CompletionResultType]::ParameterValue, 'List the leases of change feed processors (.NET, Java, Functions)')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Check an export against its own manifest and state, without contacting the service')
            [CompletionResult]::new('replay', 'replay', [CompletionResultType]::ParameterValue, 'Write exported changes to a container')
            [CompletionResult]::new('demo', 'demo', [CompletionResultType]::ParameterValue, 'Run an embedded account to try things on')
            [CompletionResult]::new('profiles', 'profiles', [CompletionResultType]::ParameterValue, 'List the profiles of the configuration file, add one, or test a connection')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completion script of a shell')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'cosmos-tail;help;ranges' {
            break
        }
        'cosmos-tail;help;ls' {
            break
        }
        'cosmos-tail;help;tail' {
            break
        }
        'cosmos-tail;help;export' {
            break
        }
        'cosmos-tail;help;schema' {
            break
        }
        'cosmos-tail;help;resume' {
            break
        }
        'cosmos-tail;help;lag' {
            break
        }
        'cosmos-tail;help;leases' {
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List leases, with their owners, positions and lags')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Find what is wrong with groups, such as ranges that nobody reads')
            [CompletionResult]::new('repair', 'repair', [CompletionResultType]::ParameterValue, 'Create leases that are missing, and delete those that are doubled')
            [CompletionResult]::new('reset', 'reset', [CompletionResultType]::ParameterValue, 'Move leases to another position, back or forth')
            [CompletionResult]::new('release', 'release', [CompletionResultType]::ParameterValue, 'Take leases from their instances, so that others can have them')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Print the leases of a group as JSON, for `import` and for .NET')
            [CompletionResult]::new('import', 'import', [CompletionResultType]::ParameterValue, 'Create a group from leases that were exported')
            break
        }
        'cosmos-tail;help;leases;list' {
            break
        }
        'cosmos-tail;help;leases;check' {
            break
        }
        'cosmos-tail;help;leases;repair' {
            break
        }
        'cosmos-tail;help;leases;reset' {
            break
        }
        'cosmos-tail;help;leases;release' {
            break
        }
        'cosmos-tail;help;leases;export' {
            break
        }
        'cosmos-tail;help;leases;import' {
            break
        }
        'cosmos-tail;help;verify' {
            break
        }
        'cosmos-tail;help;replay' {
            break
        }
        'cosmos-tail;help;demo' {
            break
        }
        'cosmos-tail;help;profiles' {
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Add a profile to the configuration file')
            [CompletionResult]::new('use', 'use', [CompletionResultType]::ParameterValue, 'Set the profile that is used when none is named')
            [CompletionResult]::new('test', 'test', [CompletionResultType]::ParameterValue, 'Check the connection step by step, and print what to do about what fails')
            break
        }
        'cosmos-tail;help;profiles;add' {
            break
        }
        'cosmos-tail;help;profiles;use' {
            break
        }
        'cosmos-tail;help;profiles;test' {
            break
        }
        'cosmos-tail;help;completions' {
            break
        }
        'cosmos-tail;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
