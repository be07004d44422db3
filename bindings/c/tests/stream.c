/*
 * Content that is larger than the memory which may be used for it: written and read in pieces, with and without history,
 * and read in parts. What stands at an offset can be computed, so any part can be checked without the rest.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEBI ((uint64_t)1 << 20)

enum { PIECE = 1 << 20, MOST_KIB = 64 * 1024 };

static electrus_handler *handler;
static uint64_t size;
static unsigned char buffer[PIECE], expected[PIECE];

static uint64_t mixed(uint64_t value)
{
    value += 0x9e3779b97f4a7c15u;
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
    value = (value ^ value >> 27) * 0x94d049bb133111ebu;
    return value ^ value >> 31;
}

/* The content from an offset on: words that follow from their place, and so do not repeat. */
static void content_at(uint64_t offset, unsigned char *into, size_t length)
{
    for (size_t i = 0; i < length;) {
        uint64_t word = mixed((offset + i) / 8);
        size_t skip = (size_t)((offset + i) % 8), count = 8 - skip;
        count = count < length - i ? count : length - i;
        for (size_t j = 0; j < count; j++)
            into[i + j] = (unsigned char)(word >> 8 * (skip + j));
        i += count;
    }
}

static char *text_of(const char *result, const char *pointer)
{
    char *text = NULL;
    STATUS(ELECTRUS_OK, electrus_result_text(result, pointer, &text));
    return text;
}

/* Pieces of many lengths: their ends must not matter. */
static size_t piece_length(uint64_t offset)
{
    size_t length = offset % (7 * MEBI) == 0 ? PIECE - 12345 : PIECE;
    return size - offset < length ? (size_t)(size - offset) : length;
}

static void write_content(const char *name, const char *options, bool versioned)
{
    electrus_writer *writer = NULL;
    electrus_checksum *checksum = NULL;
    char *result = NULL, *summed = NULL;
    double begin = now();
    MUST(electrus_handler_writer(handler, name, options, &writer, NULL) == ELECTRUS_OK);
    MUST(electrus_checksum_open(NULL, &checksum, NULL) == ELECTRUS_OK);
    for (uint64_t offset = 0; offset < size;) {
        size_t length = piece_length(offset);
        content_at(offset, buffer, length);
        MUST(electrus_writer_write(writer, buffer, length, NULL) == ELECTRUS_OK);
        MUST(electrus_checksum_update(checksum, buffer, length, NULL) == ELECTRUS_OK);
        offset += length;
    }
    STATUS(ELECTRUS_OK, electrus_writer_commit(writer, &result));
    STATUS(ELECTRUS_OK, electrus_checksum_finish(checksum, &summed));
    char *one = text_of(result, "/checksum"), *other = text_of(summed, "/checksum");
    CHECK(one && other && strcmp(one, other) == 0);
    CHECK(integer(result, "/size") == (int64_t)size);
    CHECK(integer(result, "/version_created") == (versioned ? 1 : 0));
    printf("    written: %.0f MiB/s\n", (double)size / MEBI / (now() - begin));
    electrus_free(one);
    electrus_free(other);
    electrus_free(result);
    electrus_free(summed);
}

static electrus_reader *open_reader(const char *name, const char *options)
{
    electrus_reader *reader = NULL;
    uint64_t length = 0;
    MUST(electrus_handler_reader(handler, name, options, &reader, NULL) == ELECTRUS_OK);
    STATUS(ELECTRUS_OK, electrus_reader_size(reader, &length, NULL));
    CHECK(length == size);
    return reader;
}

static void read_content(const char *name, const char *options)
{
    electrus_reader *reader = open_reader(name, options);
    uint64_t offset = 0;
    size_t count = 0;
    bool same = true;
    double begin = now();
    do {
        MUST(electrus_reader_read(reader, buffer, PIECE - 4321, &count, NULL) == ELECTRUS_OK);
        content_at(offset, expected, count);
        same &= memcmp(buffer, expected, count) == 0;
        offset += count;
    } while (count == PIECE - 4321);
    CHECK(same && offset == size);
    STATUS(ELECTRUS_OK, electrus_reader_read(reader, buffer, PIECE, &count, NULL));
    CHECK(count == 0);
    printf("    read: %.0f MiB/s\n", (double)size / MEBI / (now() - begin));
    STATUS(ELECTRUS_OK, electrus_reader_close(reader, NULL));
}

static void check_part(electrus_reader *reader, uint64_t offset, size_t length)
{
    size_t count = 99;
    uint64_t left = offset < size ? size - offset : 0;
    size_t should = left < length ? (size_t)left : length;
    STATUS(ELECTRUS_OK, electrus_reader_read_at(reader, offset, buffer, length, &count, NULL));
    content_at(offset, expected, should);
    if (!CHECK(count == should && memcmp(buffer, expected, should) == 0))
        printf("    %llu + %zu gave %zu\n", (unsigned long long)offset, length, count);
}

static void read_parts(const char *name, const char *options)
{
    electrus_reader *reader = open_reader(name, options);
    size_t count = 0;
    double begin = now();
    for (uint64_t i = 0; i < 300; i++)
        check_part(reader, mixed(i) % size, (size_t)(mixed(i + 1000) % (PIECE / 4)) + 1);
    check_part(reader, 0, PIECE);
    check_part(reader, size - 1, PIECE);
    check_part(reader, size - 1000, 1000);
    check_part(reader, size, 10);
    check_part(reader, size + 12345, 10);
    check_part(reader, size / 2, 0);
    /* Where reading goes on has not moved; seeking moves it. */
    STATUS(ELECTRUS_OK, electrus_reader_read(reader, buffer, 100, &count, NULL));
    content_at(0, expected, 100);
    CHECK(count == 100 && memcmp(buffer, expected, 100) == 0);
    STATUS(ELECTRUS_OK, electrus_reader_seek(reader, size / 3, NULL));
    STATUS(ELECTRUS_OK, electrus_reader_read(reader, buffer, 100, &count, NULL));
    content_at(size / 3, expected, 100);
    CHECK(count == 100 && memcmp(buffer, expected, 100) == 0);
    printf("    306 parts: %.1f s\n", now() - begin);
    STATUS(ELECTRUS_OK, electrus_reader_close(reader, NULL));
}

static void content_is_written_without_history(void)
{
    write_content("plain.bin", "{\"create_version\":false}", false);
}

static void that_file_is_read_on_and_on(void)
{
    read_content("plain.bin", NULL);
}

static void parts_of_that_file_are_right(void)
{
    read_parts("plain.bin", NULL);
    STATUS(ELECTRUS_OK, electrus_handler_delete(handler, "plain.bin", "{\"create_version\":false}", NULL));
}

static void content_is_written_with_history(void)
{
    write_content("kept.bin", NULL, true);
    write_text(handler, "kept.bin", "something else", NULL); /* so that only history has it */
}

static void the_version_is_read_on_and_on(void)
{
    read_content("kept.bin", "{\"version\":1}");
}

static void parts_of_the_version_are_right(void)
{
    read_parts("kept.bin", "{\"version\":1}");
}

static void a_writer_that_is_given_up_leaves_nothing(void)
{
    electrus_writer *writer = NULL;
    MUST(electrus_handler_writer(handler, "kept.bin", NULL, &writer, NULL) == ELECTRUS_OK);
    for (int i = 0; i < 32; i++)
        STATUS(ELECTRUS_OK, electrus_writer_write(writer, buffer, PIECE, NULL));
    STATUS(ELECTRUS_OK, electrus_writer_abort(writer, NULL));
    CHECK(holds_text(handler, "kept.bin", "something else"));
}

static void memory_has_stayed_below_64_mib(void)
{
    printf("    at most %ld KiB, of which 2048 are the buffers of this program\n", memory_kib("VmHWM"));
    CHECK(memory_kib("VmHWM") < MOST_KIB);
}

int main(void)
{
    char *base = new_folder();
    size = (long_mode() ? 3072 : 256) * MEBI + 4567;
    printf("%llu bytes\n", (unsigned long long)size);
    handler = open_handler(base, NULL);
    test("content is written without history", content_is_written_without_history);
    test("that file is read on and on", that_file_is_read_on_and_on);
    test("parts of that file are right", parts_of_that_file_are_right);
    test("content is written with history", content_is_written_with_history);
    test("the version is read on and on", the_version_is_read_on_and_on);
    test("parts of the version are right", parts_of_the_version_are_right);
    test("a writer that is given up leaves nothing", a_writer_that_is_given_up_leaves_nothing);
    STATUS(ELECTRUS_OK, electrus_handler_close(handler, NULL));
    test("memory has stayed below 64 MiB", memory_has_stayed_below_64_mib);
    test("nothing is open afterwards", check_nothing_is_open);
    free(base);
    return finish();
}
