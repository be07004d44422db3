# Sourced by the test drivers: where libelectrus is. It takes the prefix from $ELECTRUS_PREFIX, or lays one out from
# what cargo has built; makes $scratch, a folder that goes when the driver ends; and has closing lines counted.

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

if [ -z "${ELECTRUS_PREFIX:-}" ]; then
    ELECTRUS_PREFIX=$scratch/prefix
    "$root/bindings/c/install" --no-build --prefix "$ELECTRUS_PREFIX" >/dev/null
fi
export ELECTRUS_PREFIX
export PKG_CONFIG_PATH=$ELECTRUS_PREFIX/lib/pkgconfig
export LD_LIBRARY_PATH=$ELECTRUS_PREFIX/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export TMPDIR=$scratch
CC=${CC:-cc} CXX=${CXX:-c++}

passed=0 failed=0

# behaviour WORDS COMMAND…: one behaviour that the driver itself checks.
behaviour() {
    local words=$1
    shift
    if "$@" >"$scratch/output" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $words"
        sed 's/^/    /' "$scratch/output"
    fi
}

# program NAME COMMAND…: a test program with a closing line of its own.
program() {
    local name=$1 status=0 line
    shift
    echo "$name"
    "$@" >"$scratch/output" 2>&1 || status=$?
    sed 's/^/    /' "$scratch/output"
    line=$(tail -n 1 "$scratch/output")
    if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
        [ $status -eq 0 ] || [ "${BASH_REMATCH[2]}" -gt 0 ] || failed=$((failed + 1))
    else
        failed=$((failed + 1))
        echo "    $name ended without a closing line, status $status"
    fi
}

# The driver's own closing line.
closing() {
    echo "$passed passed, $failed failed"
    [ $failed -eq 0 ] && [ $passed -gt 0 ]
}
