#!/bin/bash
# Recovers one version of one file from a store with nothing but coreutils and zstd, as docs/format.md describes the
# bytes. usage: by-hand.sh STORE KEY NUMBER > FILE       (STORE: the .electrus folder)
# Contents of up to 64 chunks (about a megabyte); longer ones list their chunks in chunks, one level deeper.
set -eu
store=$1 wanted_key=$2 wanted_number=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

u64() { od -An -v -t u8 -j "$2" -N 8 "$1" | tr -d ' '; }                         # u64 FILE OFFSET
cut_out() { tail -c "+$(($2 + 1))" "$1" | head -c "$3"; }                        # cut_out FILE OFFSET LENGTH
hex() { od -An -v -t x1 -j "$2" -N "$3" "$1" | tr -d ' \n'; }                    # hex FILE OFFSET LENGTH

# A frame: note for each chunk where its bytes are once the frame is decompressed.
frame() { # FILE PAYLOAD LENGTH
    local count codec start=0 i entry data
    codec=$(u64 "$1" "$2") count=$(u64 "$1" $(($2 + 16)))
    data=$work/$(basename "$1").$2
    if [ "$codec" = 1 ]; then
        cut_out "$1" $(($2 + 24 + 40 * count)) $(($3 - 24 - 40 * count)) | zstd -d -q > "$data"
    else
        cut_out "$1" $(($2 + 24 + 40 * count)) $(($3 - 24 - 40 * count)) > "$data"
    fi
    for ((i = 0; i < count; i++)); do
        entry=$(($2 + 24 + 40 * i))
        echo "$data $start" > "$work/$(hex "$1" $entry 32).chunk"
        start=$((start + $(u64 "$1" $((entry + 32)))))
    done
}

# A version record: if it is the one that is wanted, print its chunks' ids and sizes.
version() { # FILE PAYLOAD
    local at=$2 length number digests i
    length=$(u64 "$1" "$at"); at=$((at + 8))
    [ "$(cut_out "$1" "$at" "$length")" = "$wanted_key" ] || return 0
    at=$((at + length)); number=$(u64 "$1" "$at")
    [ "$number" = "$wanted_number" ] || return 0
    at=$((at + 8 * 4))                                                           # number, kind, created
    at=$((at + 8 + $(u64 "$1" "$at") + 8))                                       # writer, of
    at=$((at + 8 + $(u64 "$1" "$at")))                                           # other
    [ "$(u64 "$1" "$at")" = 1 ] || { echo "this version has no content" >&2; exit 1; }
    at=$((at + 8 * 6)); digests=$(u64 "$1" $((at))); at=$((at + 8))              # file, mode, uid, gid, modified
    for ((i = 0; i < digests; i++)); do at=$((at + 8)); at=$((at + 8 + $(u64 "$1" "$at"))); done
    [ "$(u64 "$1" $((at + 8)))" = 0 ] || { echo "this content is a list of lists" >&2; exit 1; }
    length=$(u64 "$1" $((at + 16))); at=$((at + 24))
    for ((i = 0; i < length; i++)); do
        echo "$(hex "$1" $((at + 40 * i)) 32) $(u64 "$1" $((at + 40 * i + 32)))"
    done > "$work/chunks"
}

for segment in "$store"/segments/*.seg; do
    offset=0
    while [ "$(cut_out "$segment" "$offset" 8 | tr -d '\0')" = ELCTRREC ]; do
        kind=$(u64 "$segment" $((offset + 8))) length=$(u64 "$segment" $((offset + 16)))
        case $kind in
        2) frame "$segment" $((offset + 128)) "$length" ;;
        3) version "$segment" $((offset + 128)) ;;
        esac
        offset=$(((offset + 128 + length + 127) / 128 * 128))
    done
done

[ -e "$work/chunks" ] || { echo "no such version" >&2; exit 1; }
while read -r id size; do
    read -r data start < "$work/$id.chunk"
    cut_out "$data" "$start" "$size"
done < "$work/chunks"
