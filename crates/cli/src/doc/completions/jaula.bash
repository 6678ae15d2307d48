# Completions of jaula for bash. "jaula complete" knows the words; this asks it.

_jaula() {
    local rest=${COMP_LINE:0:COMP_POINT} words=() word line prefix current i
    # bash cuts words at "=" and ":"; what no blank separates is one word to jaula.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((i == 0)) || [[ $rest == [[:blank:]]* ]]; then
            rest=${rest#"${rest%%[![:blank:]]*}"}
            words+=("")
        fi
        ((i < COMP_CWORD)) || word=$rest
        words[-1]+=$word
        rest=${rest#"$word"}
    done
    current=${words[-1]}

    local found=()
    while IFS= read -r line; do
        prefix=${line#@* }
        case $line in
            @jails)
                found+=($(compgen -W "$("$1" complete-names 2>/dev/null)" -- "$current")) ;;
            "@keys "*)
                found+=($(compgen -P "$prefix" -S = -W "$("$1" config keys --quiet 2>/dev/null)" -- "${current#"$prefix"}")) ;;
            "@files "*)
                compopt -o filenames 2>/dev/null
                mapfile -t -O ${#found[@]} found < <(compgen -P "$prefix" -f -- "${current#"$prefix"}") ;;
            "@directories "*)
                compopt -o filenames 2>/dev/null
                mapfile -t -O ${#found[@]} found < <(compgen -P "$prefix" -d -- "${current#"$prefix"}") ;;
            "@users "*)
                found+=($(compgen -P "$prefix" -u -- "${current#"$prefix"}")) ;;
            @commands)
                found+=($(compgen -c -- "$current")) ;;
            *)
                found+=("${line%%$'\t'*}") ;;
        esac
    done < <("$1" complete -- "${words[@]:1}" 2>/dev/null)

    # readline replaces only what stands behind the last character that cuts words.
    prefix=
    case $current in
        *:*) [[ $COMP_WORDBREAKS == *:* ]] && prefix=${current%"${current##*:}"} ;;
    esac
    case $current in
        *=*) [[ $COMP_WORDBREAKS == *=* && ${#prefix} -lt ${#current} ]] && {
            line=${current%"${current##*=}"}
            ((${#line} > ${#prefix})) && prefix=$line
        } ;;
    esac
    COMPREPLY=("${found[@]#"$prefix"}")
    if ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} == *[:=] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}

complete -F _jaula jaula
