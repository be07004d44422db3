/* GLib's durable replacement: glib DIR SIZE COUNT. Prints one line of JSON with times in microseconds. */
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
    gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;
    return (x > y) - (x < y);
}

int main(int count, char **words)
{
    if (count != 4) return 2;
    gsize size = strtoul(words[2], NULL, 10), turns = strtoul(words[3], NULL, 10);
    gchar *path = g_build_filename(words[1], "f", NULL), *content = g_malloc(size);
    gint64 *times = g_new(gint64, turns);
    for (gsize i = 0; i < size; i++) content[i] = (gchar)g_random_int();
    for (gsize i = 0; i < turns; i++) {
        memcpy(content, &i, MIN(size, sizeof i));
        gint64 start = g_get_monotonic_time();
        GError *error = NULL;
        GFileSetContentsFlags flags = G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE;
        if (!g_file_set_contents_full(path, content, size, flags, 0666, &error)) {
            fprintf(stderr, "%s\n", error->message);
            return 1;
        }
        times[i] = g_get_monotonic_time() - start;
    }
    qsort(times, turns, sizeof *times, by_value);
    printf("{\"n\":%zu,\"median_us\":%ld,\"p10_us\":%ld,\"p90_us\":%ld}\n", turns, (long)times[(turns - 1) / 2],
           (long)times[(turns - 1) / 10], (long)times[(turns - 1) * 9 / 10]);
    return 0;
}
