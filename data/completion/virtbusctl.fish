# SPDX-License-Identifier: LGPL-2.1-or-later
# fish completion for virtbusctl: what its help says, and the names that the daemon has.

function __virtbusctl_command --description 'The command that was typed'
    for word in (commandline -opc)[2..-1]
        string match -q -- '-*' $word; or begin
            echo $word
            return
        end
    end
end

function __virtbusctl_bus --description 'The bus that was typed'
    set -l words (commandline -opc)
    contains -- --session $words; and echo --session
end

function __virtbusctl_commands
    virtbusctl help 2>/dev/null | sed -n '/^Commands:/,$s/^  \([a-z-]*\)  *\(.*\)$/\1\t\2/p'
end

function __virtbusctl_options
    set -l command (__virtbusctl_command)
    begin
        virtbusctl help
        test -z "$command"; or virtbusctl help $command
    end 2>/dev/null | sed -n 's/^  \(-[A-Za-z], \)\{0,1\}\(--[a-z-]*\)\(=[A-Z]*\)\{0,1\}  *\(.*\)$/\2\t\4/p' | sort -u
end

function __virtbusctl_takes --argument-names what
    set -l command (__virtbusctl_command)
    test -n "$command"; and virtbusctl help $command 2>/dev/null | grep -q "^Usage: .* $command \[\?$what"
end

complete -c virtbusctl -f
complete -c virtbusctl -n 'test -z "$(__virtbusctl_command)"' -a '(__virtbusctl_commands)'
complete -c virtbusctl -n 'string match -q -- "-*" (commandline -ct)' -a '(__virtbusctl_options)'
complete -c virtbusctl -n '__virtbusctl_takes DOMAIN' -a '(virtbusctl (__virtbusctl_bus) list --all --name 2>/dev/null)'
complete -c virtbusctl -n '__virtbusctl_takes NETWORK' -a '(virtbusctl (__virtbusctl_bus) net-list --all --name 2>/dev/null)'
complete -c virtbusctl -n '__virtbusctl_takes FILE' -F
