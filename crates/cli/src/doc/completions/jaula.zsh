#compdef jaula
# Completions of jaula for zsh. "jaula complete" knows the words; this asks it.

_jaula() {
    local jaula=${(Q)words[1]} line prefix word
    local -a described
    for line in "${(@f)$("$jaula" complete -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}"; do
        prefix=${line#@* }
        case $line in
            '') ;;
            @jails)
                compadd -- ${(f)"$("$jaula" complete-names 2>/dev/null)"} ;;
            '@keys '*)
                compset -P "${(b)prefix}"
                compadd -S = -- ${(f)"$("$jaula" config keys --quiet 2>/dev/null)"} ;;
            '@files '*)
                compset -P "${(b)prefix}"
                _files ;;
            '@directories '*)
                compset -P "${(b)prefix}"
                _files -/ ;;
            '@users '*)
                compset -P "${(b)prefix}"
                _users ;;
            @commands)
                _command_names -e ;;
            *)
                word=${line%%$'\t'*}
                if [[ $word == *[:=] ]]; then
                    compadd -S '' -- $word
                else
                    described+=("${word//:/\\:}:${line#*$'\t'}")
                fi ;;
        esac
    done
    (($#described)) && _describe -o jaula described
}

if [[ $funcstack[1] == _jaula ]]; then
    _jaula "$@"
else
    compdef _jaula jaula
fi
