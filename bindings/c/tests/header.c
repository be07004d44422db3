/* The header alone, twice, as C of every age and as C++; and each of its types used. */
#include <electrus.h>
#include <electrus.h>

#define CHECK_SIZE(name, condition) typedef char name[(condition) ? 1 : -1]

CHECK_SIZE(status_has_32_bits, sizeof(electrus_abi_version()) == 4);
CHECK_SIZE(bytes_are_pointer_and_length, sizeof(electrus_bytes) == sizeof(void *) + sizeof(size_t));
CHECK_SIZE(counts_are_four_numbers, sizeof(electrus_counts) == 4 * sizeof(uint64_t));

struct every_handle {
    electrus_handler *handler;
    electrus_lock *lock;
    electrus_writer *writer;
    electrus_reader *reader;
    electrus_checksum *checksum;
    electrus_backup *backup;
    electrus_json *json;
    electrus_versions *versions;
    electrus_transaction *transaction;
    electrus_progress *progress;
    electrus_task *task;
};

#if ELECTRUS_OK != 0 || ELECTRUS_E_INVALID_ARGUMENT != 1
#error "codes are numbers that the preprocessor can compare"
#endif

int use_of_the_header(struct every_handle *handles);

int use_of_the_header(struct every_handle *handles)
{
    handles->progress = 0;
    return ELECTRUS_VERSION[0] != 0 && electrus_abi_version() == ELECTRUS_ABI_VERSION;
}
