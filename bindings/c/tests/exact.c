#include "exact.h"
#include "check.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK '\x01'
#define ESCAPED_MARK "\\u0001"

static bool begins_number(char c)
{
    return c == '-' || isdigit((unsigned char)c);
}

static bool in_number(char c)
{
    return isdigit((unsigned char)c) || (c && strchr("+-.eE", c));
}

/* Every number as a text with the mark. At most 8 bytes are added to each, which has one or more. */
static char *mark_numbers(const char *text)
{
    char *marked = malloc(strlen(text) * 9 + 1), *to = marked;
    bool quoted = false;
    for (const char *at = text; *at;) {
        if (quoted && *at == '\\' && at[1]) {
            *to++ = *at++;
            *to++ = *at++;
        } else if (!quoted && begins_number(*at)) {
            to += sprintf(to, "\"" ESCAPED_MARK);
            while (in_number(*at))
                *to++ = *at++;
            *to++ = '"';
        } else {
            quoted ^= *at == '"';
            *to++ = *at++;
        }
    }
    *to = '\0';
    return marked;
}

static char *unmark_numbers(const char *text)
{
    static const char mark[] = "\"" ESCAPED_MARK;
    char *plain = malloc(strlen(text) + 1), *to = plain;
    while (*text) {
        if (strncmp(text, mark, sizeof mark - 1) != 0) {
            *to++ = *text++;
            continue;
        }
        for (text += sizeof mark - 1; *text != '"'; text++)
            *to++ = *text;
        text++;
    }
    *to = '\0';
    return plain;
}

struct json_object *exact_parse(const char *text)
{
    char *marked = mark_numbers(text);
    struct json_tokener *tokener = json_tokener_new_ex(200);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    struct json_object *value = json_tokener_parse_ex(tokener, marked, (int)strlen(marked) + 1);
    if (json_tokener_get_error(tokener) != json_tokener_success) {
        json_object_put(value);
        value = NULL;
    }
    json_tokener_free(tokener);
    free(marked);
    return value;
}

struct json_object *exact_parse_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *text = calloc(1, (size_t)size + 1);
    struct json_object *value = fread(text, 1, (size_t)size, file) == (size_t)size ? exact_parse(text) : NULL;
    fclose(file);
    free(text);
    return value;
}

char *exact_print(struct json_object *value)
{
    return unmark_numbers(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

struct json_object *exact_copy(struct json_object *value)
{
    struct json_object *copy = NULL;
    if (value)
        json_object_deep_copy(value, &copy, NULL);
    return copy;
}

const char *exact_digits(struct json_object *value)
{
    if (!json_object_is_type(value, json_type_string) || json_object_get_string(value)[0] != MARK)
        return NULL;
    return json_object_get_string(value) + 1;
}

bool exact_count(struct json_object *value, uint64_t *number)
{
    const char *digits = exact_digits(value);
    if (!digits || !isdigit((unsigned char)digits[0]) || digits[strspn(digits, "0123456789")])
        return false;
    errno = 0;
    *number = strtoull(digits, NULL, 10);
    return errno == 0;
}

const char *exact_text(struct json_object *value)
{
    if (!json_object_is_type(value, json_type_string) || exact_digits(value))
        return NULL;
    const char *text = json_object_get_string(value);
    return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

struct json_object *exact_get(struct json_object *object, const char *key)
{
    struct json_object *found = NULL;
    return json_object_is_type(object, json_type_object) && json_object_object_get_ex(object, key, &found) ? found : NULL;
}

static struct json_object *replace_in_text(struct json_object *value, const char *from, const char *to)
{
    const char *text = json_object_get_string(value), *at;
    if (!(at = strstr(text, from)))
        return value;
    char *whole = print("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    json_object_put(value);
    value = json_object_new_string(whole);
    free(whole);
    return value;
}

struct json_object *exact_replace(struct json_object *value, const char *from, const char *to)
{
    if (json_object_is_type(value, json_type_string))
        return replace_in_text(value, from, to);
    if (json_object_is_type(value, json_type_array))
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            struct json_object *item = json_object_get(json_object_array_get_idx(value, i));
            json_object_array_put_idx(value, i, exact_replace(item, from, to));
        }
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, key, member)
            json_object_object_add(value, key, exact_replace(json_object_get(member), from, to));
    }
    return value;
}

static char *another(const char *at, struct json_object *found, struct json_object *expected)
{
    char *is = exact_print(found), *should = exact_print(expected);
    char *words = print("%s is %.300s and not %.300s", at, is, should);
    free(is);
    free(should);
    return words;
}

static char *missing(struct json_object *found, struct json_object *expected, const char *at);

static char *missing_in_object(struct json_object *found, struct json_object *expected, const char *at)
{
    json_object_object_foreach(expected, key, value)
    {
        struct json_object *there = NULL;
        char *below = print("%s/%s", at, key);
        char *words = json_object_object_get_ex(found, key, &there) ? missing(there, value, below)
                                                                    : print("%s is not there", below);
        free(below);
        if (words)
            return words;
    }
    return NULL;
}

static char *missing_in_list(struct json_object *found, struct json_object *expected, const char *at)
{
    size_t count = json_object_array_length(expected);
    if (count != json_object_array_length(found))
        return another(at, found, expected);
    for (size_t i = 0; i < count; i++) {
        char *below = print("%s/%zu", at, i);
        char *words = missing(json_object_array_get_idx(found, i), json_object_array_get_idx(expected, i), below);
        free(below);
        if (words)
            return words;
    }
    return NULL;
}

static char *missing(struct json_object *found, struct json_object *expected, const char *at)
{
    enum json_type type = json_object_get_type(expected);
    if (json_object_get_type(found) == type && type == json_type_object)
        return missing_in_object(found, expected, at);
    if (json_object_get_type(found) == type && type == json_type_array)
        return missing_in_list(found, expected, at);
    return json_object_equal(found, expected) ? NULL : another(at, found, expected);
}

char *exact_missing(struct json_object *found, struct json_object *expected)
{
    return missing(found, expected, "");
}
