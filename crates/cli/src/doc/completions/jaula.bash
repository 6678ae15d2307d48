# Completions of jaula for bash. "jaula complete" knows the words; this asks it.

_jaula() {
    local rest=${COMP_LINE:0:COMP_POINT} words=() word line prefix current i
    # bash cuts words at "=", ":" and "@"; what no blank separates is one word to jaula.
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

    local found=() typed
    while IFS= read -r line; do
        prefix=${line#@* }
        typed=${current#"$prefix"}
        case $line in
            # Not "compgen -W", which would expand what it reads.
            @jails)
                while IFS= read -r word; do
                    [[ $word == "$current"* ]] && found+=("$word")
                done < <("$1" complete-names 2>/dev/null) ;;
            "@keys "*)
                while IFS= read -r word; do
                    [[ $word == "$typed"* ]] && found+=("$prefix$word=")
                done < <("$1" config keys --quiet 2>/dev/null) ;;
            "@files "*)
                compopt -o filenames 2>/dev/null
                mapfile -t -O ${#found[@]} found < <(compgen -P "$prefix" -f -- "$typed") ;;
            "@directories "*)
                compopt -o filenames 2>/dev/null
                mapfile -t -O ${#found[@]} found < <(compgen -P "$prefix" -d -- "$typed") ;;
            "@users "*)
                mapfile -t -O ${#found[@]} found < <(compgen -P "$prefix" -u -- "$typed") ;;
            @commands)
                mapfile -t -O ${#found[@]} found < <(compgen -c -- "$current") ;;
            *)
                found+=("${line%%$'\t'*}") ;;
        esac
    done < <("$1" complete -- "${words[@]:1}" 2>/dev/null)

    # readline replaces only what stands behind the last character that cuts words.
    word=${COMP_WORDBREAKS//[^:=@]/} prefix=
    [[ $word ]] && prefix=${current%"${current##*["$word"]}"}
    COMPREPLY=("${found[@]#"$prefix"}")
    if ((${#COMPREPLY[@]} == 1)) && [[ ${COMPREPLY[0]} == *[:=] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}

complete -F _jaula jaula
