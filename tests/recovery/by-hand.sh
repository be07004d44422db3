#!/bin/bash
# Recovers one version of one file from a store with dd, zstd and sha256sum (and od, which shows dd's bytes as numbers),
# as docs/format.md describes the bytes. usage: by-hand.sh STORE KEY NUMBER > FILE       (STORE: the .electrus folder)
set -eu
store=$1 wanted_key=$2 wanted_number=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

take() { dd if="$1" iflag=skip_bytes,count_bytes skip="$2" count="$3" bs=64K status=none; } # take FILE OFFSET LENGTH
u64() { take "$1" "$2" 8 | od -An -v -t u8 | tr -d ' '; }                                   # u64 FILE OFFSET
hex() { take "$1" "$2" "$3" | od -An -v -t x1 | tr -d ' \n'; }                              # hex FILE OFFSET LENGTH
list() { take "$1" "$2" $((40 * $3)) | od -An -v -t u8 -w40; } # list FILE OFFSET COUNT: of each chunk its id as four numbers, its size

# A frame: note for each chunk where its bytes are once the frame is decompressed.
frame() { # FILE PAYLOAD LENGTH
    local codec count start=0 data id size
    codec=$(u64 "$1" "$2") count=$(u64 "$1" $(($2 + 16)))
    data=$work/$(basename "$1").$2
    take "$1" $(($2 + 24 + 40 * count)) $(($3 - 24 - 40 * count)) > "$data"
    if [ "$codec" = 1 ]; then zstd -d -q --rm "$data" -o "$data.raw"; data=$data.raw; fi
    while read -r id size; do
        echo "$data $start" > "$work/$id.chunk"
        start=$((start + size))
    done < <(list "$1" $(($2 + 24)) "$count" | ids)
}

ids() { while read -r a b c d size; do echo "$a-$b-$c-$d $size"; done; }

# A version record: if it is the one that is wanted, keep its digests, its depth and its list of chunks.
version() { # FILE PAYLOAD
    local at=$2 length digests i
    length=$(u64 "$1" "$at"); at=$((at + 8))
    [ "$(take "$1" "$at" "$length")" = "$wanted_key" ] || return 0
    at=$((at + length))
    [ "$(u64 "$1" "$at")" = "$wanted_number" ] || return 0
    at=$((at + 8 * 4))                                                           # number, kind, created
    at=$((at + 8 + $(u64 "$1" "$at") + 8))                                       # writer, of
    at=$((at + 8 + $(u64 "$1" "$at")))                                           # other
    [ "$(u64 "$1" "$at")" = 1 ] || { echo "this version has no content" >&2; exit 1; }
    at=$((at + 8 * 6)); digests=$(u64 "$1" "$at"); at=$((at + 8))                # file, mode, uid, gid, modified
    : > "$work/digests"
    for ((i = 0; i < digests; i++)); do
        length=$(u64 "$1" $((at + 8)))
        echo "$(u64 "$1" "$at") $(hex "$1" $((at + 16)) "$length")" >> "$work/digests"
        at=$((at + 16 + length))
    done
    u64 "$1" $((at + 8)) > "$work/depth"                                         # size before it
    list "$1" $((at + 24)) "$(u64 "$1" $((at + 16)))" | ids > "$work/chunks"
}

# The bytes of the chunks that are listed on stdin, one after the other.
join() {
    local id size data start
    while read -r id size; do
        read -r data start < "$work/$id.chunk"
        take "$data" "$start" "$size"
    done
}

for segment in "$store"/segments/*.seg "$store"/guests/*.seg; do
    [ -e "$segment" ] || continue
    offset=0
    while [ "$(take "$segment" "$offset" 8 | tr -d '\0')" = ELCTRREC ]; do
        kind=$(u64 "$segment" $((offset + 8))) length=$(u64 "$segment" $((offset + 16)))
        case $kind in
        2) frame "$segment" $((offset + 128)) "$length" ;;
        3) version "$segment" $((offset + 128)) ;;
        esac
        offset=$(((offset + 128 + length + 127) / 128 * 128))
    done
done
[ -e "$work/chunks" ] || { echo "no such version" >&2; exit 1; }

# A long content has a list of its chunks in place of its data: as often as its depth says.
for ((depth = $(cat "$work/depth"); depth > 0; depth--)); do
    join < "$work/chunks" > "$work/list"
    list "$work/list" 0 $(($(stat -c %s "$work/list") / 40)) | ids > "$work/chunks"
done
join < "$work/chunks" > "$work/content"

sums=([1]=md5sum [2]=sha1sum [3]=sha256sum [4]=sha512sum [5]=b2sum)
while read -r algorithm digest; do
    [ -n "${sums[$algorithm]-}" ] || continue
    echo "$digest  $work/content" | "${sums[$algorithm]}" -c --quiet >&2
done < "$work/digests"
cat "$work/content"
