# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion for virtbusctl. What there is to complete, virtbusctl itself says: its help lists the
# commands, their arguments and options, and the daemon the names.

_virtbusctl_words() { # COLUMN of an indented list of the help: names before two blanks
    sed -n 's/^  \(-[A-Za-z], \)\?\([a-z-]*\)\(=[A-Z]*\)\?\( .*\)\?$/\2\3/p' | sed 's/=.*/=/'
}

_virtbusctl() {
    local current=${COMP_WORDS[COMP_CWORD]} command= given=0 word usage wanted i
    local -a bus=()
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
        --session | --system) bus+=("$word") ;;
        --address)
            bus+=(--address "${COMP_WORDS[i + 1]}")
            ((i++))
            ;;
        -*) ;;
        *) [[ -z $command ]] && command=$word || ((given++)) ;;
        esac
    done
    if [[ $current == -* ]]; then
        wanted=$({
            virtbusctl help
            [[ -z $command ]] || virtbusctl help "$command"
        } 2>/dev/null | _virtbusctl_words | grep '^--' | sort -u)
        compopt -o nospace
        mapfile -t COMPREPLY < <(compgen -W "$wanted" -- "$current" | sed 's/[^=]$/& /')
        return
    fi
    if [[ -z $command ]]; then
        wanted=$(virtbusctl help 2>/dev/null | sed -n '/^Commands:/,$p' | _virtbusctl_words)
        mapfile -t COMPREPLY < <(compgen -W "$wanted" -- "$current")
        return
    fi
    usage=$(virtbusctl help "$command" 2>/dev/null | sed -n 's/^Usage: .*\] '"$command"' //p')
    local -a arguments=()
    read -ra arguments <<<"$usage"
    case ${arguments[given]-} in
    DOMAIN | '[DOMAIN]') wanted=$(virtbusctl "${bus[@]}" list --all --name 2>/dev/null) ;;
    NETWORK) wanted=$(virtbusctl "${bus[@]}" net-list --all --name 2>/dev/null) ;;
    FILE | '[FILE]' | DEST | '[DEST]')
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    '[COMMAND]') wanted=$(virtbusctl help 2>/dev/null | sed -n '/^Commands:/,$p' | _virtbusctl_words) ;;
    *) return ;;
    esac
    local IFS=$'\n'
    mapfile -t COMPREPLY < <(compgen -W "$wanted" -- "$current")
}
complete -F _virtbusctl virtbusctl
