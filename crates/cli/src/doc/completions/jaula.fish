# Completions of jaula for fish. "jaula complete" knows the words; this asks it.

function __jaula_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l jaula $words[1]
    set -e words[1]
    for line in ($jaula complete -- $words $current 2>/dev/null)
        set -l prefix (string replace -r '^@\S+ ' '' -- $line)
        set -l rest (string sub -s (math 1 + (string length -- "$prefix")) -- "$current")
        switch $line
            case @jails
                $jaula complete-names 2>/dev/null
            case '@keys *'
                printf '%s\n' $prefix($jaula config keys --quiet 2>/dev/null)=
            case '@files *'
                printf '%s\n' $prefix(__fish_complete_path "$rest")
            case '@directories *'
                printf '%s\n' $prefix(__fish_complete_directories "$rest" '')
            case '@users *'
                printf '%s\n' $prefix(__fish_complete_users)
            case @commands
                __fish_complete_command
            case '*'
                printf '%s\n' $line
        end
    end
end

complete -c jaula -f -a '(__jaula_complete)'
