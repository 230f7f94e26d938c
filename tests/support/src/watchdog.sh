# Waits until the test process is gone, then ends all that works below $BASE and removes it.
trap '' HUP INT TERM
cat >/dev/null

# Under a new name nothing new can start in it: a server that is just starting no longer finds its files.
mv "$BASE" "$BASE.ending"

working_below() {
    for process in /proc/[0-9]*; do
        case $(readlink "$process/cwd") in
            "$BASE" | "$BASE"/* | "$BASE.ending" | "$BASE.ending"/*) echo "${process#/proc/}" ;;
        esac
    done
}

# SIGQUIT ends a server at once and lets it free its shared memory.
quiet=0
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    found=$(working_below)
    if [ -n "$found" ]; then
        quiet=0
        kill -QUIT $found
    else
        quiet=$((quiet + 1))
        [ $quiet -lt 3 ] || break
    fi
    sleep 0.1
done
found=$(working_below)
[ -z "$found" ] || kill -KILL $found
# Only then are file systems that were mounted below it no longer in use.
while read -r _ mounted _; do
    case $mounted in
        "$BASE.ending"/*) umount -l "$mounted" ;;
    esac
done </proc/mounts
rm -rf "$BASE.ending"
