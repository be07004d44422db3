# Sourced by the drivers, after prefix.sh: builds the consumers of a folder against the prefix, and runs them.

needs_shared() { readelf -d "$1" | grep -q 'NEEDED.*libelectrus\.so\.0'; }
needs_none() { ! readelf -d "$1" | grep -q 'NEEDED.*libelectrus'; }

# runs PROGRAM: on an empty base folder.
runs() {
    local base
    base=$(mktemp -d)
    [ "$("$1" "$base")" = good ]
}

# consumers FOLDER LANGUAGE
consumers() {
    local from=$1 out=$scratch/consumers-$2 how
    mkdir -p "$out/pkg-config"
    behaviour "$2: CMake finds the package and builds" cmake_builds "$from/cmake" "$out/cmake"
    behaviour "$2: pkg-config finds the package and builds" \
        make -s -C "$from/pkg-config" OUT="$out/pkg-config" CC="$CC" CXX="$CXX"
    for how in cmake pkg-config; do
        behaviour "$2, $how: the shared program runs" runs "$out/$how/shared"
        behaviour "$2, $how: the shared program names the library by its SONAME" needs_shared "$out/$how/shared"
        behaviour "$2, $how: the static program needs no library of ours" needs_none "$out/$how/static"
        behaviour "$2, $how: the static program runs without it" env -u LD_LIBRARY_PATH bash -c "$(declare -f runs); runs '$out/$how/static'"
    done
}

cmake_builds() {
    CC=$CC CXX=$CXX cmake -S "$1" -B "$2" -DCMAKE_PREFIX_PATH="$ELECTRUS_PREFIX" && cmake --build "$2"
}
