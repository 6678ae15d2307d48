#compdef jaula
# Completions of jaula for zsh. "jaula complete" knows the words; this asks it.

_jaula() {
    local jaula=${(Q)words[1]} line prefix word found=1
    local -a described
    for line in "${(@f)$("$jaula" complete -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}"; do
        prefix=${line#@* }
        case $line in
            '') ;;
            @jails)
                compadd -- ${(f)"$("$jaula" complete-names 2>/dev/null)"} && found=0 ;;
            '@keys '*)
                compset -P "${(b)prefix}"
                compadd -S = -- ${(f)"$("$jaula" config keys --quiet 2>/dev/null)"} && found=0 ;;
            '@files '*)
                compset -P "${(b)prefix}"
                _files && found=0 ;;
            '@directories '*)
                compset -P "${(b)prefix}"
                _files -/ && found=0 ;;
            '@users '*)
                compset -P "${(b)prefix}"
                _users && found=0 ;;
            @commands)
                _command_names -e && found=0 ;;
            *)
                word=${line%%$'\t'*}
                if [[ $word == *[:=] ]]; then
                    compadd -S '' -- $word && found=0
                else
                    described+=("${word//:/\\:}:${line#*$'\t'}")
                fi ;;
        esac
    done
    (($#described)) && _describe jaula described && found=0
    return found
}

if [[ $funcstack[1] == _jaula ]]; then
    _jaula "$@"
else
    compdef _jaula jaula
fi
