# Completes the name of a profile, database or container.
function __cosmos_tail_names
	set -l words (commandline -opc)
	$words[1] __complete $argv[1] $words[2..-1] 2>/dev/null </dev/null
end

# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_cosmos_tail_global_optspecs
    string join \n profile= endpoint= limit-to-endpoint region= token-scope= d/database= c/container= auth= key-file= via= subscription= resource-group= account-name= priority= throughput-bucket= demo v/verbose q/quiet log-format= h/help V/version
end

function __fish_cosmos_tail_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    if not argparse -s (__fish_cosmos_tail_global_optspecs) -- $cmd 2>/dev/null
        set -e cmd[-1]
        argparse -s (__fish_cosmos_tail_global_optspecs) -- $cmd 2>/dev/null
        or return
    end
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_cosmos_tail_using_subcommand
    set -l cmd (__fish_cosmos_tail_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -f -a "ranges" -d 'List the feed ranges of a container'
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -f -a "ls" -d 'List the databases and containers of an account'
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -f -a "definitions" -d 'Print the definitions of containers as Bicep, or as a template'
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -f -a "tail" -d 'Watch the changes of a container as they happen'
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -f -a "export" -d 'Export the change feed of a container to files'
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -f -a "plan" -d 'Plan an export that many processes share, such as those of a Kubernetes Job'
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -f -a "schema" -d 'Print the columns that an export to CSV, Parquet or Arrow would infer'
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -f -a "resume" -d 'Continue an export: after a crash, or to read changes made since it finished'
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -f -a "lag" -d 'Measure how far an export, a tail or a replay is behind its container'
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -f -a "leases" -d 'List the leases of change feed processors (.NET, Java, Functions)'
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -f -a "verify" -d 'Check an export against its own manifest and state, without contacting the service'
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -f -a "replay" -d 'Write exported changes to a container'
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -f -a "compare" -d 'Compare two exports or containers, document by document'
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -f -a "acceptance" -d 'Test an account, in a database that is made for it and deleted'
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -f -a "demo" -d 'Run an embedded account to try things on'
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -f -a "profiles" -d 'List, add, choose or test the profiles of the configuration file'
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -f -a "completions" -d 'Print the completion script of a shell'
complete -c cosmos-tail -n "__fish_cosmos_tail_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ranges" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ranges" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ranges" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ranges" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ranges" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ranges" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ranges" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ranges" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ranges" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ranges" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ranges" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ranges" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ranges" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ranges" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ranges" -l format -d 'How to print the list [default: table]' -r -f -a "table\t'Aligned columns'
json\t'One JSON array'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ranges" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ranges" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ranges" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ranges" -l wide -d 'Print whole bounds, and the portable form of each range'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ranges" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ranges" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ranges" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ranges" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ls" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ls" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ls" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ls" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ls" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ls" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ls" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ls" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ls" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ls" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ls" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ls" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ls" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ls" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ls" -l format -d 'How to print the list [default: table]' -r -f -a "table\t'Aligned columns'
json\t'One JSON array'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ls" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ls" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ls" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ls" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ls" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand ls" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand definitions" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand definitions" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand definitions" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand definitions" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand definitions" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand definitions" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand definitions" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand definitions" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand definitions" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand definitions" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand definitions" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand definitions" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand definitions" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand definitions" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand definitions" -l format -d 'How to print them [default: bicep]' -r -f -a "bicep\t'Bicep'
json\t'A template of Azure Resource Manager'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand definitions" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand definitions" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand definitions" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand definitions" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand definitions" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand definitions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand definitions" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l from -d 'Start: `now`, `beginning`, a time, or an age such as 10m' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l until -d 'Stop after changes up to this time or age' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -s n -l max -d 'Stop after this many changes' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l idle-timeout -d 'Stop when nothing has changed for this long' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l mode -d 'Which feed to read [default: latest]' -r -f -a "latest\t'The latest version of each document: no deletes, no intermediate versions'
all\t'Every version and every delete from now on; the container must retain them'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l partition-key -d 'Only this key; once for each level of it' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l range -d 'Only this feed range: its number or its portable form, both from `ranges`; can be repeated' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l format -d 'How to print a change' -r -f -a "line\t'For people: time, operation, id, partition key, then the document without system fields'
json\t'The document on one line, byte for byte as the service sent it'
pretty\t'The document, indented'
envelope\t'One object per line: current, previous, metadata, and the number of the range'
diff\t'As `line`, but with the fields that differ from the previous image; with --mode all'
diff-json\t'The same as one object per line: `changes` has each path with the values `from` and `to`'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l width -d 'Cut the lines of --format line and diff to this width [default: that of the terminal; to a pipe, none]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l fields -d 'Only these fields, such as id,customer.name' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l jq -d 'Print what this jq program returns' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l color -d 'Whether to use colors; NO_COLOR and TERM=dumb switch them off too [default: auto]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is `dumb`'
always\t'Always'
never\t'Never'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -s o -l output -d 'Write there, each change once: a file, DIR/, az://…/' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l state -d 'Keep the position here, and continue from it' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l group -d 'Share the ranges with the instances of this group' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l leases -d 'The container of its leases' -r -f -a '(__cosmos_tail_names address)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l instance -d 'The name of this instance, which no other one of the group has; in lower case [default: the host and a random number]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l lease-format -d 'Whose leases the group has. KEDA reads those of .NET [default: dotnet]' -r -f -a "dotnet\t'Of .NET and Functions'
java\t'Of Java\'s handleLatestVersionChanges'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l acquire-interval -d 'How often to look for leases to take [default: 13s]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l renew-interval -d 'How often to renew a lease [default: 17s]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l expiration-interval -d 'After how long a lease that is not renewed is taken by others: the same for all instances of a group [default: 60s]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l rotate-bytes -d 'Finish a file that has reached this size, such as 1GiB, or `none` [default: 128MiB; a file that grows: none]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l rotate-interval -d 'Finish files at least this often, or `none` [default: 10m; a file that grows: none]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l partition-by -d 'Put files into directories by when they were begun, in UTC: dt=2026-11-27/, or dt=2026-11-27/hour=18/ [default: one directory]' -r -f -a "day\t'The files that were begun on one day: dt=2026-11-27/'
hour\t'The files that were begun in one hour: dt=2026-11-27/hour=18/'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l concurrency -d 'Ranges read at the same time [default: by the number of ranges and cores]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l page-size -d 'Documents requested in one page [default: 1000]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l max-retries -d 'How often a page is retried, beyond the SDK\'s own retries, before its range fails [default: no limit]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l max-ru -d 'Use at most this many RU/s for reading, or this share of the throughput such as 20%, or `none` [default: none]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l poll-interval -d 'How long to wait before a range without changes is polled again, with --follow [default: 1s]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l checkpoint-interval -d 'Commit at least this often; a crash repeats at most this much work [default: 1s]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l metrics-listen -d 'Serve /metrics, /healthz, /readyz and /progress at this address, such as 127.0.0.1:9464' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l health-timeout -d '/healthz is 503 once the account has not answered a request for this long, retries included [default: 1m]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l repair -d 'Read again what open files should have'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l until-caught-up -d 'Stop once the service has nothing newer'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -s f -l follow -d 'Keep reading new changes until stopped, as a tail does without it'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l wide -d 'Do not cut lines'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -s r -l raw-output -d 'With --jq: strings without quotes'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l metrics-per-range -d 'Add metrics of each feed range; a container can have thousands'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l account-moved -d 'Continue at the endpoint that is given, although the state names another'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand tail" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -s o -l output -d 'A directory, a file such as orders.csv, az://…/, or `-`' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l from -d 'Start: `beginning`, `now`, a time, or an age such as 10m' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l mode -d 'Which feed to read' -r -f -a "latest\t'The latest version of each document: no deletes, no intermediate versions'
all\t'Every version and every delete from now on; the container must retain them'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l until -d 'How far to read each range [default: head; with --mode all: pin]' -r -f -a "head\t'Until the service has nothing newer: every document that existed throughout the export is in the files, even if it was rewritten meanwhile'
pin\t'Up to the position of the range when the export started: documents rewritten before they are read are left to the next resume'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l state -d 'Where to keep the state: a file, or an object such as az://CONTAINER/states/orders.json [default: beside the output]' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l plan -d 'Read a share of a plan: --plan plan.json --shard 0/4' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l shard -d 'Which share of the plan: 0/4 to 3/4 of four; auto/4 takes the number from the job that runs it' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l query -d 'Read what this query selects instead of the feed' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l query-file -d 'The same from a file' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l parameter -d 'The value of a parameter of the query; once for each' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l partition-key -d 'Query only this partition key; once for each level of a hierarchical key' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l group -d 'Share the ranges with the instances of this group' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l leases -d 'The container of its leases' -r -f -a '(__cosmos_tail_names address)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l instance -d 'The name of this instance, which no other one of the group has; in lower case [default: the host and a random number]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l lease-format -d 'Whose leases the group has. KEDA reads those of .NET [default: dotnet]' -r -f -a "dotnet\t'Of .NET and Functions'
java\t'Of Java\'s handleLatestVersionChanges'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l acquire-interval -d 'How often to look for leases to take [default: 13s]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l renew-interval -d 'How often to renew a lease [default: 17s]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l expiration-interval -d 'After how long a lease that is not renewed is taken by others: the same for all instances of a group [default: 60s]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l format -d 'Format of the files' -r -f -a "jsonl\t'One JSON document per line, byte for byte as the service sent it'
csv\t'One row per line by RFC 4180, with a header in every file'
parquet\t'Typed columns, for DuckDB, Spark, pandas and polars'
arrow\t'The same columns as they are in memory: an IPC file, or a stream to standard output'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l compression -d 'none, gzip, zstd, snappy or lz4, such as zstd:9' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l delimiter -d 'CSV: the delimiter between cells: one ASCII character, or `tab` [default: ,]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l null -d 'CSV: the text of a cell without a value [default: empty]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l rotate-bytes -d 'Finish a file that has reached this size, such as 1GiB, or `none` [default: none; Parquet and Arrow: 128MiB]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l rotate-interval -d 'Finish files at least this often, or `none` [default: none; Parquet and Arrow: 10m]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l partition-by -d 'Put files into directories by when they were begun, in UTC: dt=2026-11-27/, or dt=2026-11-27/hour=18/ [default: one directory]' -r -f -a "day\t'The files that were begun on one day: dt=2026-11-27/'
hour\t'The files that were begun in one hour: dt=2026-11-27/hour=18/'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l row-group-size -d 'Parquet: finish a row group that takes this much memory [default: 16MiB]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l schema -d '`infer` the columns, read them from a FILE, or write `raw` documents' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l columns -d 'Columns, such as id,customer.name,total:double' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l sample -d 'Infer columns from this many pages of each range' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l extra -d 'What to do with values that fit no column: `keep` them in `_extra`, `drop` them, or `fail` [default: keep]' -r -f -a "keep\t'They are kept in the overflow column'
drop\t'They are left out, and counted'
fail\t'The first one ends the export'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l system-fields -d 'What to do with _ts, _etag, _rid and the like' -r -f -a "keep\t'They have columns like other fields'
drop\t'They are left out, unless --columns or a schema file names them'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l concurrency -d 'Ranges read at the same time [default: by the number of ranges and cores]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l page-size -d 'Documents requested in one page [default: 1000]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l max-retries -d 'How often a page is retried, beyond the SDK\'s own retries, before its range fails [default: 15]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l max-ru -d 'Use at most this many RU/s for reading, or this share of the throughput such as 20%, or `none` [default: none]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l poll-interval -d 'How long to wait before a range without changes is polled again, with --follow [default: 1s]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l checkpoint-interval -d 'Commit at least this often; a crash repeats at most this much work [default: 5s]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l checkpoint-bytes -d 'Commit after this many bytes, such as 64MiB [default: 256MiB]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l summary -d 'Form of the summary' -r -f -a "text\t'For people'
json\t'One JSON object on one line, for scripts'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l metrics-listen -d 'Serve /metrics, /healthz, /readyz and /progress at this address, such as 127.0.0.1:9464' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l health-timeout -d '/healthz is 503 once the account has not answered a request for this long, retries included [default: 1m]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l all-containers -d 'All containers of the database, each to a directory'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -s f -l follow -d 'Keep reading new changes until stopped'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l force -d 'Replace the output of an earlier export'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l repair -d 'With --plan or --group: discard open files that do not match their state, and read their ranges again'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l snapshot -d 'With --mode all: all documents first, then every version and delete since the export began'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l masked -d 'Export masked values where the container masks some and this credential may not see them'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l csv-safe -d 'CSV: put a `\'` before text that a spreadsheet would take for a formula; this alters data'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l csv-bom -d 'CSV: begin each file with a byte order mark, by which Excel recognizes UTF-8'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l detect-timestamps -d 'Make timestamps of ISO 8601 times'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l strict-types -d 'Make JSON of fields with several types'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l metrics-per-range -d 'Add metrics of each feed range; a container can have thousands'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand export" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l from -d 'Start: `beginning`, `now`, a time, or an age such as 10m' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l mode -d 'Which feed to read' -r -f -a "latest\t'The latest version of each document: no deletes, no intermediate versions'
all\t'Every version and every delete from now on; the container must retain them'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -s o -l output -d 'Where to write the plan, such as plan.json, or `-`' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l after -d 'Plan what came since the shards that wrote to DIR' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l until -d 'How far to read each range [default: head; with --mode all: pin; after a plan: exact]' -r -f -a "head\t'Until the service has nothing newer: every document that existed throughout is in the files, even if it was rewritten meanwhile'
pin\t'Up to the pinned end, in whole pages: documents rewritten before they are read are left to a plan of what came since'
exact\t'Up to the pinned end, and not one change beyond it: a plan can begin `--after` this one without looking at what its shards wrote'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l query -d 'Read what this query selects instead of the feed' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l query-file -d 'The same from a file' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l parameter -d 'The value of a parameter of the query; once for each' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l format -d 'Format of the files' -r -f -a "jsonl\t'One JSON document per line, byte for byte as the service sent it'
csv\t'One row per line by RFC 4180, with a header in every file'
parquet\t'Typed columns, for DuckDB, Spark, pandas and polars'
arrow\t'The same columns as they are in memory: an IPC file, or a stream to standard output'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l compression -d 'none, gzip, zstd, snappy or lz4, such as zstd:9' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l delimiter -d 'CSV: the delimiter between cells: one ASCII character, or `tab` [default: ,]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l null -d 'CSV: the text of a cell without a value [default: empty]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l partition-by -d 'Put files into directories by when they were begun, in UTC: dt=2026-11-27/, or dt=2026-11-27/hour=18/ [default: one directory]' -r -f -a "day\t'The files that were begun on one day: dt=2026-11-27/'
hour\t'The files that were begun in one hour: dt=2026-11-27/hour=18/'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l schema -d '`infer` the columns, read them from a FILE, or write `raw` documents' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l columns -d 'Columns, such as id,customer.name,total:double' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l sample -d 'Infer columns from this many pages of each range' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l system-fields -d 'What to do with _ts, _etag, _rid and the like' -r -f -a "keep\t'They have columns like other fields'
drop\t'They are left out, unless --columns or a schema file names them'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l concurrency -d 'Ranges read at the same time [default: by the number of ranges and cores]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l page-size -d 'Documents requested in one page [default: 1000]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l max-retries -d 'How often a page is retried, beyond the SDK\'s own retries, before its range fails [default: 15]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l max-ru -d 'Use at most this many RU/s for reading, or this share of the throughput such as 20%, or `none` [default: none]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l keep -d 'Keep the plan that is there already'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l masked -d 'Export masked values where the container masks some and this credential may not see them'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l csv-safe -d 'CSV: put a `\'` before text that a spreadsheet would take for a formula; this alters data'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l csv-bom -d 'CSV: begin each file with a byte order mark, by which Excel recognizes UTF-8'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l detect-timestamps -d 'Make timestamps of ISO 8601 times'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l strict-types -d 'Make JSON of fields with several types'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand plan" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l query -d 'Read what this query selects instead of the feed' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l query-file -d 'The same from a file' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l parameter -d 'The value of a parameter of the query; once for each' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l partition-key -d 'Query only this partition key; once for each level of a hierarchical key' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l from -d 'Start: `beginning`, a time, or an age such as 10m' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -s o -l output -d 'Write the columns to a file or an object' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l columns -d 'Columns, such as id,customer.name,total:double' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l sample -d 'Infer columns from this many pages of each range' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l diff -d 'Compare the documents with the columns of an export or a file' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l plan -d 'Print the columns of a plan instead' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l system-fields -d 'What to do with _ts, _etag, _rid and the like' -r -f -a "keep\t'They have columns like other fields'
drop\t'They are left out, unless --columns or a schema file names them'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l concurrency -d 'Ranges read at the same time [default: by the number of ranges and cores]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l page-size -d 'Documents requested in one page [default: 1000]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l max-retries -d 'How often a page is retried, beyond the SDK\'s own retries, before its range fails [default: 15]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l max-ru -d 'Use at most this many RU/s for reading, or this share of the throughput such as 20%, or `none` [default: none]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l masked -d 'Export masked values where the container masks some and this credential may not see them'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l detect-timestamps -d 'Make timestamps of ISO 8601 times'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l strict-types -d 'Make JSON of fields with several types'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l arrow -d 'Print the schema of the files, with all columns, as an Arrow stream without rows, for programs'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand schema" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l state -d 'The state, if it is not beside the output' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l until -d 'How far to read each range [default: from the state]' -r -f -a "head\t'Until the service has nothing newer: every document that existed throughout the export is in the files, even if it was rewritten meanwhile'
pin\t'Up to the position of the range when the export started: documents rewritten before they are read are left to the next resume'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l rotate-bytes -d 'Finish a file that has reached this size, such as 1GiB, or `none` [default: from the state]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l rotate-interval -d 'Finish files at least this often, or `none` [default: from the state]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l row-group-size -d 'Parquet: finish a row group that takes this much memory [default: from the state]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l extra -d 'What to do with values that fit no column: `keep` them in `_extra`, `drop` them, or `fail` [default: from the state]' -r -f -a "keep\t'They are kept in the overflow column'
drop\t'They are left out, and counted'
fail\t'The first one ends the export'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l concurrency -d 'Ranges read at the same time [default: from the state]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l page-size -d 'Documents requested in one page [default: from the state]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l max-retries -d 'How often a page is retried, beyond the SDK\'s own retries, before its range fails [default: from the state]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l max-ru -d 'Use at most this many RU/s for reading, or this share of the throughput such as 20%, or `none` [default: from the state]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l poll-interval -d 'How long to wait before a range without changes is polled again, with --follow [default: from the state]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l checkpoint-interval -d 'Commit at least this often; a crash repeats at most this much work [default: from the state]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l checkpoint-bytes -d 'Commit after this many bytes, such as 64MiB [default: from the state]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l summary -d 'Form of the summary' -r -f -a "text\t'For people'
json\t'One JSON object on one line, for scripts'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l metrics-listen -d 'Serve /metrics, /healthz, /readyz and /progress at this address, such as 127.0.0.1:9464' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l health-timeout -d '/healthz is 503 once the account has not answered a request for this long, retries included [default: 1m]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -s f -l follow -d 'Keep reading new changes until stopped'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l no-follow -d 'Read the rest of an export that follows, and end'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l save-options -d 'Keep the options of this resume in the state, for later ones'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l repair -d 'Read again what open files should have'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l widen -d 'Add columns for new fields to new files'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l metrics-per-range -d 'Add metrics of each feed range; a container can have thousands'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l account-moved -d 'Continue at the endpoint that is given, although the state names another'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand resume" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -l state -d 'The state, if it is not beside the output' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -l group -d 'A group of change feed processors' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -l leases -d 'The lease container of the group, such as shop/leases' -r -f -a '(__cosmos_tail_names address)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -l watch -d 'Measure again after each pause of this length' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -l fail-above -d 'Exit with code 4 if the lag is above 1000 or 10m' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -l max-ru -d 'Use at most this many RU/s for measuring, or this share of the throughput such as 20%, or `none` [default: none]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -l format -d 'How to print the list [default: table]' -r -f -a "table\t'Aligned columns'
json\t'One JSON array'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand lag" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -f -a "list" -d 'List leases, with their owners, positions and lags'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -f -a "check" -d 'Find what is wrong with groups, such as ranges that nobody reads'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -f -a "repair" -d 'Create leases that are missing, and delete those that are doubled'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -f -a "reset" -d 'Move leases to another position, back or forth'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -f -a "release" -d 'Take leases from their instances, so that others can have them'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -f -a "export" -d 'Print the leases of a group as JSON, for `import` and for .NET'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -f -a "import" -d 'Create a group from leases that were exported'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -f -a "adopt" -d 'Turn a state into leases, leases into a state, or change their SDK'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and not __fish_seen_subcommand_from list check repair reset release export import adopt help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -l leases -d 'The lease container, such as shop/leases' -r -f -a '(__cosmos_tail_names address)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -l group -d 'Only this group: the processor\'s name' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -l expiration-interval -d 'After how long a lease that is not renewed is free, as the processors are set [default: 60s]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -l stuck-after -d 'How long a change may wait before its lease is stuck' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -l watch -d 'List again after each pause of this length, until stopped' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -l format -d 'How to print the list [default: table]' -r -f -a "table\t'Aligned columns'
json\t'One JSON array'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -l wide -d 'Print whole names, however wide the terminal is'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -l leases -d 'The lease container, such as shop/leases' -r -f -a '(__cosmos_tail_names address)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -l group -d 'Only this group: the processor\'s name' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -l expiration-interval -d 'After how long a lease that is not renewed is free, as the processors are set [default: 60s]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -l stuck-after -d 'How long a change may wait before its lease is stuck' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -l format -d 'How to print the list [default: table]' -r -f -a "table\t'Aligned columns'
json\t'One JSON array'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -l strict -d 'Fail for what may pass by itself too'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from check" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -l leases -d 'The lease container, such as shop/leases' -r -f -a '(__cosmos_tail_names address)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -l group -d 'The group: the processor\'s name' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -l to -d 'Where created leases begin: `beginning`, `now`, a time' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -l lease-format -d 'Whose leases to create [default: that of the group\'s leases]' -r -f -a "dotnet\t'Of .NET and Functions'
java\t'Of Java\'s handleLatestVersionChanges'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -l expiration-interval -d 'After how long a lease that is not renewed is free, as the processors are set [default: 60s]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -l dry-run -d 'Print what would be done, and change nothing'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from repair" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -l leases -d 'The lease container, such as shop/leases' -r -f -a '(__cosmos_tail_names address)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -l group -d 'The group: the processor\'s name' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -l to -d '`beginning`, `now`, a time, an age such as 10m, or an LSN' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -l range -d 'Only this lease, as `leases list` names it' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -l settle -d 'With --force: for how long to look whether an instance brings the old position back [default: 30s]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -l expiration-interval -d 'After how long a lease that is not renewed is free, as the processors are set [default: 60s]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -l force -d 'Take leases from instances that have them'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -l dry-run -d 'Print what would be done, and change nothing'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from reset" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -l leases -d 'The lease container, such as shop/leases' -r -f -a '(__cosmos_tail_names address)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -l group -d 'The group: the processor\'s name' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -l range -d 'Only this lease, as `leases list` names it' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -l expiration-interval -d 'After how long a lease that is not renewed is free, as the processors are set [default: 60s]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -l force -d 'Take leases from instances that have them'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -l dry-run -d 'Print what would be done, and change nothing'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from release" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from export" -l leases -d 'The lease container, such as shop/leases' -r -f -a '(__cosmos_tail_names address)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from export" -l group -d 'The group: the processor\'s name' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from export" -l expiration-interval -d 'After how long a lease that is not renewed is free, as the processors are set [default: 60s]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from export" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from export" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from export" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from export" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from export" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from export" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from export" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from export" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from export" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from export" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from export" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from export" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from export" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from export" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from export" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from export" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from export" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from export" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from export" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from export" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from import" -l leases -d 'The lease container, such as shop/leases' -r -f -a '(__cosmos_tail_names address)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from import" -l group -d 'The group: the processor\'s name' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from import" -l lease-format -d 'Whose leases to create [default: dotnet]' -r -f -a "dotnet\t'Of .NET and Functions'
java\t'Of Java\'s handleLatestVersionChanges'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from import" -l expiration-interval -d 'After how long a lease that is not renewed is free, as the processors are set [default: 60s]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from import" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from import" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from import" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from import" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from import" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from import" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from import" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from import" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from import" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from import" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from import" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from import" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from import" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from import" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from import" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from import" -l dry-run -d 'Print what would be done, and change nothing'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from import" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from import" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from import" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from import" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from import" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -l leases -d 'The lease container, such as shop/leases' -r -f -a '(__cosmos_tail_names address)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -l group -d 'The group: the processor\'s name' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -l lease-format -d 'Whose leases to create [default: dotnet, with --from-state]' -r -f -a "dotnet\t'Of .NET and Functions'
java\t'Of Java\'s handleLatestVersionChanges'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -l from-state -d 'Create the group from this state of a tail or an export, which names its container' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -l to-state -d 'Write the state of a tail that goes on where the leases are: `tail --state FILE`' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -l expiration-interval -d 'After how long a lease that is not renewed is free, as the processors are set [default: 60s]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -l dry-run -d 'Print what would be done, and change nothing'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from adopt" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from help" -f -a "list" -d 'List leases, with their owners, positions and lags'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from help" -f -a "check" -d 'Find what is wrong with groups, such as ranges that nobody reads'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from help" -f -a "repair" -d 'Create leases that are missing, and delete those that are doubled'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from help" -f -a "reset" -d 'Move leases to another position, back or forth'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from help" -f -a "release" -d 'Take leases from their instances, so that others can have them'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from help" -f -a "export" -d 'Print the leases of a group as JSON, for `import` and for .NET'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from help" -f -a "import" -d 'Create a group from leases that were exported'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from help" -f -a "adopt" -d 'Turn a state into leases, leases into a state, or change their SDK'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand leases; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand verify" -l format -d 'How to print the findings [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object on one line, for scripts'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand verify" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand verify" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand verify" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand verify" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand verify" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand verify" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand verify" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand verify" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand verify" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand verify" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand verify" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand verify" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand verify" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand verify" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand verify" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand verify" -l strict -d 'Report harmless differences as faults too'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand verify" -l quick -d 'Do not read the files: compare manifests, states, names and lengths only'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand verify" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand verify" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand verify" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand verify" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand verify" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l plan -d 'Replay a share of a plan: --plan plan.json --shard 0/4' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l shard -d 'Which share of the plan: 0/4 to 3/4 of four; auto/4 takes the number from the job that runs it' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l group -d 'Share the ranges with the instances of this group' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l leases -d 'The container of its leases' -r -f -a '(__cosmos_tail_names address)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l instance -d 'The name of this instance, which no other one of the group has; in lower case [default: the host and a random number]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l lease-format -d 'Whose leases the group has. KEDA reads those of .NET [default: dotnet]' -r -f -a "dotnet\t'Of .NET and Functions'
java\t'Of Java\'s handleLatestVersionChanges'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l acquire-interval -d 'How often to look for leases to take [default: 13s]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l renew-interval -d 'How often to renew a lease [default: 17s]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l expiration-interval -d 'After how long a lease that is not renewed is taken by others: the same for all instances of a group [default: 60s]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l only -d 'Of a database, only these containers: a name, or a pattern with `*`; can be repeated' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l exclude -d 'Of a database, all containers but these: a name, or a pattern with `*`; can be repeated' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l input -d 'What the sources hold, if they do not say so themselves [default: what the source says; otherwise documents]' -r -f -a "documents\t'Documents, whatever their members'
changes\t'Changes in their envelopes, as --mode all writes them; also dead letters'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l delimiter -d 'CSV that no export wrote: the delimiter between cells: one ASCII character, or `tab` [default: what the header shows: a comma, a semicolon, a tab or `|`]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l types -d 'CSV that no export wrote: the types of columns, such as total:double,paid:boolean,tags:json' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l since -d 'Only changes since this time, or age such as 10m' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l until -d 'Only changes made at this time or earlier, or at this age or older' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l speed -d 'Apply changes at this multiple of the speed at which they were made: a number, or max [default: max]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l transform -d 'Write what this jq program returns' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l partition-key -d 'Partition key of it, such as /customerId' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l throughput -d 'Throughput of the new container in RU/s [default: the default of the account]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l from-container -d 'Replay the feed of this container, such as shop/orders' -r -f -a '(__cosmos_tail_names address)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l source-profile -d 'Profile of the account of --from-container, or of --plan' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l from -d 'Where the feed starts: `beginning`, `now`, a time such as 2026-11-23, or an age such as 10m [default: beginning; with --mode all: now]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l mode -d 'Which feed to read [default: latest]' -r -f -a "latest\t'The latest version of each document: no deletes, no intermediate versions'
all\t'Every version and every delete from now on; the container must retain them'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l write-mode -d 'How to write a document whose id exists already [default: upsert]' -r -f -a "upsert\t'Replace it'
create\t'Keep it: a different document is refused, and so are deletions'
newer\t'Replace or delete it if it is older than the change, by `_ts`'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l ttl-deletes -d 'Whether deletions by time to live are applied [default: apply]' -r -f -a "apply\t'Apply them like other deletions'
skip\t'Skip them: the target expires its documents itself'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l ttl -d 'What becomes of the time to live of documents, which the service counts from their last write [default: keep]' -r -f -a "keep\t'It begins again in the target'
remaining\t'What was left of it when the document was exported; expired documents are not written'
drop\t'Documents are written without `ttl`'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l missing-key -d 'Whether to write documents without a value at the partition key of the target [default: write, unless no document has a value]' -r -f -a "write\t'They are written without one, as the service keeps them'
refuse\t'They are refused'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l id-collisions -d 'Whether a document may replace another one of the source that has the same id and partition key in the target [default: refuse]' -r -f -a "refuse\t'It is refused'
overwrite\t'It replaces the other'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l concurrency -d 'Writes in flight at the same time, each to a different partition key [default: 32]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l batch-size -d 'Maximum number of documents of one partition key upserted in one request; 1 for no batches [default: 100]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l max-ru -d 'Use at most this many RU/s, or this share of the target\'s throughput such as 20%; reading the source counts too, if it is a container' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l max-retries -d 'How often a write is retried after an error of the service or the network [default: 15]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l dead-letter -d 'Keep changes that cannot be applied in this file' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l max-errors -d 'Stop when more than this many changes could not be applied [default: 0; with --dead-letter: no limit]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l state -d 'Keep the position here, and continue from it' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l checkpoint-interval -d 'Save the position at least this often [default: 1s]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l checkpoint-changes -d 'Apply at most this many changes beyond the saved position; a crash repeats no more, or twice as many from the feed of a container [default: 10000]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l metrics-listen -d 'Serve /metrics, /healthz, /readyz and /progress at this address, such as 127.0.0.1:9464' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l health-timeout -d '/healthz is 503 once the account has not answered a request for this long, retries included [default: 1m]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l summary -d 'Form of the summary' -r -f -a "text\t'For people'
json\t'One JSON object on one line, for scripts'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l stdout -d 'Write to standard output instead'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l dry-run -d 'Report what would happen, write nothing'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l create -d 'Create the target container'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l snapshot -d 'With --mode all: all documents first, then every version and delete since the replay began'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -s f -l follow -d 'Keep replaying new changes until stopped'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l metrics-per-range -d 'Add metrics of each feed range; a container can have thousands'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l account-moved -d 'Continue at the endpoint that is given, although the state names another'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand replay" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l only -d 'Of a database, only these containers: a name, or a pattern with `*`; can be repeated' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l exclude -d 'Of a database, all containers but these: a name, or a pattern with `*`; can be repeated' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l with -d 'The target: an export instead of a container' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l from-container -d 'The source: this container, such as shop/orders' -r -f -a '(__cosmos_tail_names address)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l source-profile -d 'Profile of the account of --from-container' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l input -d 'What the files hold, if they do not say so themselves [default: what the file says; otherwise documents]' -r -f -a "documents\t'Documents, whatever their members'
changes\t'Changes in their envelopes, as --mode all writes them; also dead letters'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l delimiter -d 'CSV that no export wrote: the delimiter between cells: one ASCII character, or `tab` [default: what the header shows: a comma, a semicolon, a tab or `|`]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l types -d 'CSV that no export wrote: the types of columns, such as total:double,paid:boolean,tags:json' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l partition-key -d 'Path of the partition key, such as /customerId, if neither side says it; once for each level of a hierarchical key' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l transform -d 'Compare what this jq program makes of the source' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l ignore -d 'Do not compare this member, such as /importedAt' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l report -d 'Write a line of JSON for each difference' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l max-differences -d 'Documents in the report; the others are only counted [default: 10000]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l repair-to -d 'Write what a replay needs to repair the target' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l settle -d 'How long a difference must stay to count' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l mode -d 'Which feed is followed: only that of all versions says what is deleted [default: latest]' -r -f -a "latest\t'The latest version of each document: no deletes, no intermediate versions'
all\t'Every version and every delete from now on; the container must retain them'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l memory -d 'Memory for comparing [default: 128MiB]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l max-ru -d 'Use at most this many RU/s for each side, or this share of its throughput such as 20%' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l source-max-ru -d 'The same for the source alone [default: that of --max-ru]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l metrics-listen -d 'Serve /metrics, /healthz, /readyz and /progress at this address, such as 127.0.0.1:9464' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l health-timeout -d '/healthz is 503 once the account has not answered a request for this long, retries included [default: 1m]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l summary -d 'Form of the summary' -r -f -a "text\t'For people'
json\t'One JSON object on one line, for scripts'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l exact -d 'Compare text, not content'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l bytes -d 'Compare the documents themselves, not their hashes'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l values -d 'The report has the values that differ too, and the documents that one side does not have'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l repair-delete -d 'Write changes that delete the documents that only the target has, to deletes.jsonl beside it'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -s f -l follow -d 'Go on as both containers change, until stopped'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l until-same -d 'End with exit code 0 once both sides are the same, and nothing has changed for --settle'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l metrics-per-range -d 'Add metrics of each feed range; a container can have thousands'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand compare" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -l scratch-database -d 'The database to create, and delete at the end' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -l report -d 'Write a report in JSON to this file' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -l directory -d 'Where to keep the files of the test' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -l split-wait -d 'How long to wait for the split [default: 30m]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -l max-ru -d 'Use at most this many RU/s for each of reading and writing' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -l yes -d 'Begin; without it, the test only prints what it would cost'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -l split -d 'Make the service split a partition; costs money'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -l clean-up -d 'Only delete what an earlier test has left'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand acceptance" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -l port -d 'Port on the loopback address; 0 for a free one [default: 0]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -l documents -d 'Documents in the container at the start [default: 10000]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -l partitions -d 'Physical partitions at the start [default: 4]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -l writes-per-second -d 'Writes per second: creates, replaces and deletes [default: 5]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -l split-every -d 'Split the largest partition repeatedly, at this interval' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -l metrics-listen -d 'Serve /metrics, /healthz, /readyz and /progress at this address, such as 127.0.0.1:9464' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -l health-timeout -d '/healthz is 503 once the account has not answered a request for this long, retries included [default: 1m]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -l previous-images -d 'Keep what a change replaced: `previous` in the feed of all versions and deletes'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -l metrics-per-range -d 'Add metrics of each feed range; a container can have thousands'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand demo" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and not __fish_seen_subcommand_from add use test help" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and not __fish_seen_subcommand_from add use test help" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and not __fish_seen_subcommand_from add use test help" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and not __fish_seen_subcommand_from add use test help" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and not __fish_seen_subcommand_from add use test help" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and not __fish_seen_subcommand_from add use test help" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and not __fish_seen_subcommand_from add use test help" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and not __fish_seen_subcommand_from add use test help" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and not __fish_seen_subcommand_from add use test help" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and not __fish_seen_subcommand_from add use test help" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and not __fish_seen_subcommand_from add use test help" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and not __fish_seen_subcommand_from add use test help" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and not __fish_seen_subcommand_from add use test help" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and not __fish_seen_subcommand_from add use test help" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and not __fish_seen_subcommand_from add use test help" -l format -d 'How to print the list [default: table]' -r -f -a "table\t'Aligned columns'
json\t'One JSON array'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and not __fish_seen_subcommand_from add use test help" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and not __fish_seen_subcommand_from add use test help" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and not __fish_seen_subcommand_from add use test help" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and not __fish_seen_subcommand_from add use test help" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and not __fish_seen_subcommand_from add use test help" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and not __fish_seen_subcommand_from add use test help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and not __fish_seen_subcommand_from add use test help" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and not __fish_seen_subcommand_from add use test help" -f -a "add" -d 'Add a profile to the configuration file'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and not __fish_seen_subcommand_from add use test help" -f -a "use" -d 'Set the profile that is used when none is named'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and not __fish_seen_subcommand_from add use test help" -f -a "test" -d 'Check the connection step by step, and print what to do about what fails'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and not __fish_seen_subcommand_from add use test help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from add" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from add" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from add" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from add" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from add" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from add" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from add" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from add" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from add" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from add" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from add" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from add" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from add" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from add" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from add" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from add" -l store-key -d 'Store the key that the environment or standard input gives in a file beside the configuration'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from add" -l force -d 'Replace the profile if it exists'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from add" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from add" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from add" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from use" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from use" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from use" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from use" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from use" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from use" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from use" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from use" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from use" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from use" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from use" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from use" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from use" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from use" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from use" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from use" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from use" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from use" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from use" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from use" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from use" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from test" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from test" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from test" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from test" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from test" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from test" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from test" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from test" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from test" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from test" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from test" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from test" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from test" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from test" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from test" -l format -d 'How to print the list [default: table]' -r -f -a "table\t'Aligned columns'
json\t'One JSON array'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from test" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from test" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from test" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from test" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from test" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from test" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from help" -f -a "add" -d 'Add a profile to the configuration file'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from help" -f -a "use" -d 'Set the profile that is used when none is named'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from help" -f -a "test" -d 'Check the connection step by step, and print what to do about what fails'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand completions" -l profile -d 'Profile of the configuration file' -r -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand completions" -l endpoint -d 'Endpoint of the account, or `emulator`' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand completions" -l region -d 'Region to read from, such as "West Europe"; several in order, with commas or repeated [default: the first that the account names]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand completions" -l token-scope -d 'Scope of the Entra ID token [default: that of the endpoint\'s cloud]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand completions" -s d -l database -d 'Name of the database' -r -f -a '(__cosmos_tail_names database)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand completions" -s c -l container -d 'Name of the container' -r -f -a '(__cosmos_tail_names container)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand completions" -l auth -d 'How to authenticate [default: auto]' -r -f -a "auto\t'An account key if one is given, otherwise an Entra ID credential'
key\t'The account key'
cli\t'The signed-in user of the Azure CLI (`az login`)'
managed-identity\t'The managed identity of this Azure resource'
workload-identity\t'The workload identity of this Kubernetes pod'
environment\t'A service principal from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand completions" -l key-file -d 'File that contains the account key' -r -F
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand completions" -l via -d 'What creates containers, and says their definitions and throughput [default: account]' -r -f -a "account\t'The account itself, as documents are read and written'
arm\t'Azure Resource Manager, with the same identity; documents still go to the account'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand completions" -l subscription -d 'With --via arm: the subscription of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand completions" -l resource-group -d 'With --via arm: the resource group of the account [default: looked up by the account\'s name]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand completions" -l account-name -d 'With --via arm: the name of the account, for an endpoint that does not say it [default: the first word of the endpoint\'s host]' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand completions" -l priority -d 'Priority of all requests, in accounts with priority-based execution' -r -f -a "high\t'Throttled last'
low\t'Throttled first'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand completions" -l throughput-bucket -d 'Throughput bucket that all requests use, 1 to 5, in containers that have buckets' -r
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand completions" -l log-format -d 'How to print messages on standard error: as text, or as JSON with time, level, message and range [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object per line, for programs that collect logs'"
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand completions" -l limit-to-endpoint -d 'Send all requests to the endpoint, not to the addresses that the account names for its regions'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand completions" -l demo -d 'Use an account embedded in this process'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand completions" -s v -l verbose -d 'Print more; -vv and -vvv the SDK\'s log'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand completions" -s q -l quiet -d 'Print only errors: no progress, no summary'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand completions" -s V -l version -d 'Print version'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and not __fish_seen_subcommand_from ranges ls definitions tail export plan schema resume lag leases verify replay compare acceptance demo profiles completions help" -f -a "ranges" -d 'List the feed ranges of a container'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and not __fish_seen_subcommand_from ranges ls definitions tail export plan schema resume lag leases verify replay compare acceptance demo profiles completions help" -f -a "ls" -d 'List the databases and containers of an account'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and not __fish_seen_subcommand_from ranges ls definitions tail export plan schema resume lag leases verify replay compare acceptance demo profiles completions help" -f -a "definitions" -d 'Print the definitions of containers as Bicep, or as a template'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and not __fish_seen_subcommand_from ranges ls definitions tail export plan schema resume lag leases verify replay compare acceptance demo profiles completions help" -f -a "tail" -d 'Watch the changes of a container as they happen'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and not __fish_seen_subcommand_from ranges ls definitions tail export plan schema resume lag leases verify replay compare acceptance demo profiles completions help" -f -a "export" -d 'Export the change feed of a container to files'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and not __fish_seen_subcommand_from ranges ls definitions tail export plan schema resume lag leases verify replay compare acceptance demo profiles completions help" -f -a "plan" -d 'Plan an export that many processes share, such as those of a Kubernetes Job'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and not __fish_seen_subcommand_from ranges ls definitions tail export plan schema resume lag leases verify replay compare acceptance demo profiles completions help" -f -a "schema" -d 'Print the columns that an export to CSV, Parquet or Arrow would infer'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and not __fish_seen_subcommand_from ranges ls definitions tail export plan schema resume lag leases verify replay compare acceptance demo profiles completions help" -f -a "resume" -d 'Continue an export: after a crash, or to read changes made since it finished'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and not __fish_seen_subcommand_from ranges ls definitions tail export plan schema resume lag leases verify replay compare acceptance demo profiles completions help" -f -a "lag" -d 'Measure how far an export, a tail or a replay is behind its container'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and not __fish_seen_subcommand_from ranges ls definitions tail export plan schema resume lag leases verify replay compare acceptance demo profiles completions help" -f -a "leases" -d 'List the leases of change feed processors (.NET, Java, Functions)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and not __fish_seen_subcommand_from ranges ls definitions tail export plan schema resume lag leases verify replay compare acceptance demo profiles completions help" -f -a "verify" -d 'Check an export against its own manifest and state, without contacting the service'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and not __fish_seen_subcommand_from ranges ls definitions tail export plan schema resume lag leases verify replay compare acceptance demo profiles completions help" -f -a "replay" -d 'Write exported changes to a container'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and not __fish_seen_subcommand_from ranges ls definitions tail export plan schema resume lag leases verify replay compare acceptance demo profiles completions help" -f -a "compare" -d 'Compare two exports or containers, document by document'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and not __fish_seen_subcommand_from ranges ls definitions tail export plan schema resume lag leases verify replay compare acceptance demo profiles completions help" -f -a "acceptance" -d 'Test an account, in a database that is made for it and deleted'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and not __fish_seen_subcommand_from ranges ls definitions tail export plan schema resume lag leases verify replay compare acceptance demo profiles completions help" -f -a "demo" -d 'Run an embedded account to try things on'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and not __fish_seen_subcommand_from ranges ls definitions tail export plan schema resume lag leases verify replay compare acceptance demo profiles completions help" -f -a "profiles" -d 'List, add, choose or test the profiles of the configuration file'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and not __fish_seen_subcommand_from ranges ls definitions tail export plan schema resume lag leases verify replay compare acceptance demo profiles completions help" -f -a "completions" -d 'Print the completion script of a shell'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and not __fish_seen_subcommand_from ranges ls definitions tail export plan schema resume lag leases verify replay compare acceptance demo profiles completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and __fish_seen_subcommand_from leases" -f -a "list" -d 'List leases, with their owners, positions and lags'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and __fish_seen_subcommand_from leases" -f -a "check" -d 'Find what is wrong with groups, such as ranges that nobody reads'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and __fish_seen_subcommand_from leases" -f -a "repair" -d 'Create leases that are missing, and delete those that are doubled'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and __fish_seen_subcommand_from leases" -f -a "reset" -d 'Move leases to another position, back or forth'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and __fish_seen_subcommand_from leases" -f -a "release" -d 'Take leases from their instances, so that others can have them'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and __fish_seen_subcommand_from leases" -f -a "export" -d 'Print the leases of a group as JSON, for `import` and for .NET'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and __fish_seen_subcommand_from leases" -f -a "import" -d 'Create a group from leases that were exported'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and __fish_seen_subcommand_from leases" -f -a "adopt" -d 'Turn a state into leases, leases into a state, or change their SDK'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and __fish_seen_subcommand_from profiles" -f -a "add" -d 'Add a profile to the configuration file'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and __fish_seen_subcommand_from profiles" -f -a "use" -d 'Set the profile that is used when none is named'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand help; and __fish_seen_subcommand_from profiles" -f -a "test" -d 'Check the connection step by step, and print what to do about what fails'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from use" -f -a '(__cosmos_tail_names profile)'
complete -c cosmos-tail -n "__fish_cosmos_tail_using_subcommand profiles; and __fish_seen_subcommand_from test" -f -a '(__cosmos_tail_names profile)'
