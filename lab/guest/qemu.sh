# Runs QEMU for whoever holds the pipe on the standard input, as the first process of namespaces of its own.
# $1 = the guest's directory, the rest = the command
#
# When the pipe closes, by will or because its holder died, QEMU is killed and the directory removed; were this shell
# killed, the kernel would kill the rest of the namespace.
directory=$1
shift
exec 3<&0 </dev/null
{
    "$@"
    : >"$directory/ended"
} 3<&- &
cat <&3 >/dev/null
kill -KILL -1 2>/dev/null # all but this shell
wait
rm -rf "$directory"
