/*
 * Electrus for C++17: the C interface of electrus.h as classes. Header only; link with libelectrus.
 *
 *     electrus::handler files("my_project");
 *     files.write("notes.txt", "precious");
 *     std::string text = files.read("notes.txt").text();
 *
 * ERRORS. Every operation comes twice. `write(…)` throws electrus::error; `try_write(…)` gives an electrus::result, a value
 * or an error, and throws nothing but std::bad_alloc. Both make the same call. The code of an error is one of ELECTRUS_E_*;
 * electrus.h says at each function which it gives. Without exceptions (-fno-exceptions) the `try_` functions work as
 * they do with them, and a failure in one of the others ends the program.
 *
 * OWNERSHIP. Handles are moved, not copied, and their destructors give back what they hold: a lock is released, a writer,
 * a transaction or a task given up, everything else closed. A destructor cannot report; commit(), release() and close() do.
 * Handles that come from a handler live on without it.
 *
 * THREADS. The calls of one object may run in any number of threads at once, close(), commit(), release() and their like
 * among them: calls that run then go on to their end. Moving, assigning and destroying an object is for one thread, as for
 * any other object. Calls with the same writer, reader, checksum or transaction wait for each other.
 *
 * NAMES are std::filesystem::path, on Unix with any bytes. CONTENTS go in as electrus::bytes_view, which std::string,
 * std::string_view, std::vector, std::array and std::span of single bytes convert to, and come out as electrus::buffer.
 *
 * OPTIONS are electrus::options, RESULTS electrus::document. What keys there are, and what they mean, stands in
 * abi/operations.json, bindings/c/reference.md and at the function of electrus.h.
 */

#ifndef ELECTRUS_HPP
#define ELECTRUS_HPP

#include "electrus.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <filesystem>
#include <initializer_list>
#include <istream>
#include <iterator>
#include <locale>
#include <memory>
#include <optional>
#include <ostream>
#include <sstream>
#include <streambuf>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace electrus {

using path = std::filesystem::path;

/// What has been done so far; a total of 0 is not known yet.
using counts = electrus_counts;

class options;

// ---------------------------------------------------------------------------------------------------------------- text

/// Not part of the interface.
namespace detail {

/// The bytes of a name: as they are on Unix, UTF-8 elsewhere.
inline std::string bytes_of(const path &name) {
#ifdef _WIN32
    const auto text = name.u8string();
    return std::string(text.begin(), text.end());
#else
    return name.native();
#endif
}

inline path path_of(const std::string &bytes) {
#ifdef _WIN32
    return std::filesystem::u8path(bytes);
#else
    return path(bytes);
#endif
}

/// How many bytes the character at the front has; 0 if it is no UTF-8.
inline std::size_t utf8_length(std::string_view text) noexcept {
    const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
    const unsigned first = at(0);
    const std::size_t length =
        first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;
    for (std::size_t i = 1; i < length; i++) {
        if ((at(i) & 0xC0) != 0x80) return 0;
    }
    const bool overlong = (first == 0xE0 && at(1) < 0xA0) || (first == 0xF0 && at(1) < 0x90);
    const bool outside = (first == 0xED && at(1) > 0x9F) || (first == 0xF4 && at(1) > 0x8F);
    return overlong || outside ? 0 : length;
}

inline bool is_utf8(std::string_view text) noexcept {
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

constexpr char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

inline std::string to_base64(std::string_view bytes) {
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const auto at = [&](std::size_t k) -> unsigned {
            return i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U;
        };
        const unsigned group = at(0) << 16 | at(1) << 8 | at(2);
        for (std::size_t k = 0; k < 4; k++) {
            const bool padding = i + k > bytes.size();
            text += padding ? '=' : base64_digits[group >> (18 - 6 * k) & 63];
        }
    }
    return text;
}

inline std::string from_base64(std::string_view text) {
    std::string bytes;
    unsigned group = 0;
    unsigned bits = 0;
    for (const char digit : text) {
        const std::size_t value = std::string_view(base64_digits).find(digit);
        if (value == std::string_view::npos) break;
        group = (group << 6 | static_cast<unsigned>(value)) & 0xFFFF;
        bits += 6;
        if (bits >= 8) bytes += static_cast<char>(group >> (bits -= 8) & 0xFF);
    }
    return bytes;
}

/// A JSON text with its quotes. Bytes that are no UTF-8 go through, and the library refuses them.
inline std::string quoted(std::string_view text) {
    std::string json = "\"";
    for (const char character : text) {
        const auto byte = static_cast<unsigned char>(character);
        if (byte < 0x20) {
            json += "\\u00";
            json += "0123456789abcdef"[byte >> 4];
            json += "0123456789abcdef"[byte & 15];
        } else {
            if (character == '"' || character == '\\') json += '\\';
            json += character;
        }
    }
    return json += '"';
}

/// A number in JSON, whatever the program's locale. What is no number is no JSON either, and the library says so.
template <class Number> std::string number(Number value) {
    if constexpr (std::is_same_v<Number, bool>) {
        return value ? "true" : "false";
    } else if constexpr (std::is_integral_v<Number>) {
        return std::to_string(value);
    } else {
        std::ostringstream text;
        text.imbue(std::locale::classic());
        text.precision(17);
        text << value;
        return text.str();
    }
}

} // namespace detail

// ------------------------------------------------------------------------------------------------------------ contents

/// Bytes that somebody else owns: a pointer and a length. It must not outlive them.
class bytes_view {
public:
    constexpr bytes_view() noexcept = default;
    constexpr bytes_view(const void *data, std::size_t size) noexcept : data_(data), size_(size) {}
    /// A text that ends with a zero, without the zero.
    bytes_view(const char *text) noexcept : data_(text), size_(text ? std::strlen(text) : 0) {}
    /// Anything that has data() and size(), and items of one byte.
    template <class Container, class Item = std::remove_pointer_t<decltype(std::declval<const Container &>().data())>,
              class = std::enable_if_t<sizeof(Item) == 1 && std::is_trivially_copyable_v<Item>>>
    constexpr bytes_view(const Container &bytes) noexcept : data_(bytes.data()), size_(bytes.size()) {}

    constexpr const void *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    const std::byte *begin() const noexcept { return static_cast<const std::byte *>(data_); }
    const std::byte *end() const noexcept { return begin() + size_; }
    /// The same bytes as text, which must not outlive them either.
    std::string_view text() const noexcept { return {static_cast<const char *>(data_), size_}; }

private:
    const void *data_ = nullptr;
    std::size_t size_ = 0;
};

/// A content that the library gave. It owns its bytes; it is moved, not copied.
class buffer {
public:
    buffer() noexcept = default;
    /// Takes over what a function of electrus.h gave.
    buffer(void *memory, std::size_t size) noexcept : memory_(memory), size_(memory ? size : 0) {}
    /// So many zeros; empty if there is no memory.
    static buffer zeros(std::size_t size) noexcept { return buffer(electrus_alloc(size), size); }

    const std::byte *data() const noexcept { return static_cast<const std::byte *>(memory_.get()); }
    std::byte *data() noexcept { return static_cast<std::byte *>(memory_.get()); }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    bytes_view view() const noexcept { return {memory_.get(), size_}; }
    /// A copy as text.
    std::string text() const { return std::string(view().text()); }

    buffer(buffer &&other) noexcept
        : memory_(std::move(other.memory_)), size_(std::exchange(other.size_, std::size_t{0})) {}
    buffer &operator=(buffer &&other) noexcept {
        memory_ = std::move(other.memory_);
        size_ = std::exchange(other.size_, std::size_t{0});
        return *this;
    }

private:
    struct give_back {
        void operator()(void *memory) const noexcept { electrus_free(memory); }
    };
    std::unique_ptr<void, give_back> memory_;
    std::size_t size_ = 0;
};

/// Several contents that the library gave, by their index. It owns them all; it is moved, not copied.
class outputs {
public:
    outputs() noexcept = default;
    outputs(electrus_bytes *items, std::size_t count) noexcept : block_(items, 0), count_(items ? count : 0) {}

    std::size_t size() const noexcept { return count_; }
    bool empty() const noexcept { return count_ == 0; }
    /// A view into this object. The index must be below size().
    bytes_view operator[](std::size_t index) const noexcept {
        const auto &item = reinterpret_cast<const electrus_bytes *>(block_.data())[index];
        return {item.data, item.len};
    }

    outputs(outputs &&other) noexcept
        : block_(std::move(other.block_)), count_(std::exchange(other.count_, std::size_t{0})) {}
    outputs &operator=(outputs &&other) noexcept {
        block_ = std::move(other.block_);
        count_ = std::exchange(other.count_, std::size_t{0});
        return *this;
    }

private:
    buffer block_;
    std::size_t count_ = 0;
};

// -------------------------------------------------------------------------------------------------- errors and results

template <class T> class result;

/// What the library told: a JSON object, read by JSON Pointer (RFC 6901). It owns its text; it is moved, not copied.
/// A function that had nothing to tell gives `{}`.
class document {
public:
    document() noexcept = default;
    /// Takes over what a function of electrus.h gave.
    explicit document(char *text) noexcept : text_(text, text ? std::strlen(text) : 0) {}

    const char *c_str() const noexcept { return text_.data() ? reinterpret_cast<const char *>(text_.data()) : "{}"; }
    std::string_view str() const noexcept { return c_str(); }

    /// Whether there is a value of that name.
    bool has(std::string_view pointer) const;
    /// A whole number; true is 1, false is 0.
    std::int64_t integer(std::string_view pointer) const;
    result<std::int64_t> try_integer(std::string_view pointer) const;
    /// True or false.
    bool flag(std::string_view pointer) const { return integer(pointer) != 0; }
    /// A text; of any other value, its JSON.
    std::string text(std::string_view pointer) const;
    result<std::string> try_text(std::string_view pointer) const;
    /// How many items a list has, or keys an object.
    std::size_t count(std::string_view pointer) const;
    result<std::size_t> try_count(std::string_view pointer) const;
    /// A name, with all its bytes even where they are no UTF-8.
    electrus::path path(std::string_view pointer) const;
    result<electrus::path> try_path(std::string_view pointer) const;

private:
    buffer text_;
};

/// Why a call failed. It is copied cheaply and without failing, as exceptions are.
class error : public std::exception {
public:
    error(std::int32_t code, const document &told) : state_(std::make_shared<const state>(code, told)) {}
    /// An error that was found before the library was called.
    error(std::int32_t code, std::string message) : state_(std::make_shared<const state>(code, std::move(message))) {}

    /// One of ELECTRUS_E_*.
    std::int32_t code() const noexcept { return state_->code; }
    /// The stable name of the code, as in "not_found".
    const char *name() const noexcept { return electrus_code_name(state_->code); }
    /// What happened, in words.
    const std::string &message() const noexcept { return state_->message; }
    /// The file or folder that it happened to; empty if it was none.
    const electrus::path &path() const noexcept { return state_->path; }
    /// The operation that failed; empty if it was none of the table.
    const std::string &operation() const noexcept { return state_->operation; }
    /// Whether the same call may succeed later, as after a lock's time-out.
    bool retryable() const noexcept { return state_->retryable; }
    /// The error number of the operating system, if it was behind it.
    std::optional<int> os_error() const noexcept { return state_->os_error; }
    /// All of that in one line, as in "not_found: notes.txt: the file does not exist".
    const char *what() const noexcept override { return state_->what.c_str(); }

private:
    struct state {
        state(std::int32_t number, const document &told);
        state(std::int32_t number, std::string words) : code(number), message(std::move(words)) { compose(); }
        void compose();

        std::int32_t code;
        std::string message;
        electrus::path path;
        std::string operation;
        bool retryable = false;
        std::optional<int> os_error;
        std::string what;
    };
    std::shared_ptr<const state> state_;
};

namespace detail {

[[noreturn]] inline void raise(const error &why) {
#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
    throw why;
#else
    static_cast<void>(why);
    std::terminate();
#endif
}

} // namespace detail

/// A value, or the error why there is none.
///
///     if (auto content = files.try_read("notes.txt")) use(content->text());
///     else if (content.error().code() != ELECTRUS_E_NOT_FOUND) report(content.error());
template <class T> class [[nodiscard]] result {
public:
    result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    result(electrus::error why) : state_(std::in_place_index<1>, std::move(why)) {}

    bool has_value() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }
    /// The value; throws the error if there is none.
    T &value() & { return expect(), **this; }
    const T &value() const & { return expect(), **this; }
    T &&value() && { return expect(), std::move(**this); }
    /// The value, or this one if there is none.
    template <class Other> T value_or(Other &&other) && {
        return has_value() ? std::move(**this) : static_cast<T>(std::forward<Other>(other));
    }
    /// The value; there must be one.
    T &operator*() noexcept { return *std::get_if<0>(&state_); }
    const T &operator*() const noexcept { return *std::get_if<0>(&state_); }
    T *operator->() noexcept { return std::get_if<0>(&state_); }
    const T *operator->() const noexcept { return std::get_if<0>(&state_); }
    /// The error; there must be one.
    const electrus::error &error() const noexcept { return *std::get_if<1>(&state_); }

private:
    void expect() const {
        if (!has_value()) detail::raise(error());
    }
    std::variant<T, electrus::error> state_;
};

/// Success, or the error.
template <> class [[nodiscard]] result<void> {
public:
    result() noexcept = default;
    result(electrus::error why) : error_(std::move(why)) {}

    bool has_value() const noexcept { return !error_; }
    explicit operator bool() const noexcept { return has_value(); }
    /// Throws the error if there is one.
    void value() const {
        if (error_) detail::raise(*error_);
    }
    /// The error; there must be one.
    const electrus::error &error() const noexcept { return *error_; }

private:
    std::optional<electrus::error> error_;
};

namespace detail {

/// The result of a call that tells nothing but its status.
inline result<void> plain(std::int32_t status) {
    if (status == ELECTRUS_OK) return {};
    return error(status, std::string(electrus_code_text(status)));
}

/// The same, with a value.
template <class T> result<T> plain(std::int32_t status, T value) {
    if (status == ELECTRUS_OK) return value;
    return error(status, std::string(electrus_code_text(status)));
}

/// The same, for a value that a document should have.
template <class T> result<T> found(std::int32_t status, std::string_view pointer, T value) {
    if (status == ELECTRUS_OK) return value;
    return error(status, quoted(pointer) + ": " + electrus_code_text(status));
}

inline std::int32_t find_integer(const document &in, std::string_view pointer, std::int64_t &value) {
    return electrus_result_integer(in.c_str(), std::string(pointer).c_str(), &value);
}

inline std::int32_t find_text(const document &in, std::string_view pointer, std::string &text) {
    char *found = nullptr;
    const std::int32_t status = electrus_result_text(in.c_str(), std::string(pointer).c_str(), &found);
    const document owner(found);
    if (status == ELECTRUS_OK) text = owner.str();
    return status;
}

/// A key KEY has its bytes under `KEY_b64` where they are no UTF-8.
inline std::int32_t find_path(const document &in, std::string_view pointer, path &name) {
    std::string text;
    if (find_text(in, std::string(pointer) + "_b64", text) == ELECTRUS_OK) {
        name = path_of(from_base64(text));
        return ELECTRUS_OK;
    }
    const std::int32_t status = find_text(in, pointer, text);
    if (status == ELECTRUS_OK) name = path_of(text);
    return status;
}

} // namespace detail

inline result<std::int64_t> document::try_integer(std::string_view pointer) const {
    std::int64_t value = 0;
    const std::int32_t status = detail::find_integer(*this, pointer, value);
    return detail::found(status, pointer, value);
}

inline result<std::string> document::try_text(std::string_view pointer) const {
    std::string value;
    const std::int32_t status = detail::find_text(*this, pointer, value);
    return detail::found(status, pointer, std::move(value));
}

inline result<std::size_t> document::try_count(std::string_view pointer) const {
    std::size_t value = 0;
    const std::int32_t status = electrus_result_count(c_str(), std::string(pointer).c_str(), &value);
    return detail::found(status, pointer, value);
}

inline result<electrus::path> document::try_path(std::string_view pointer) const {
    electrus::path value;
    const std::int32_t status = detail::find_path(*this, pointer, value);
    return detail::found(status, pointer, std::move(value));
}

inline bool document::has(std::string_view pointer) const { return try_text(pointer).has_value(); }
inline std::int64_t document::integer(std::string_view pointer) const { return try_integer(pointer).value(); }
inline std::string document::text(std::string_view pointer) const { return try_text(pointer).value(); }
inline std::size_t document::count(std::string_view pointer) const { return try_count(pointer).value(); }
inline electrus::path document::path(std::string_view pointer) const { return try_path(pointer).value(); }

inline error::state::state(std::int32_t number, const document &told)
    : code(number), message(electrus_code_text(number)) {
    detail::find_text(told, "/error/message", message);
    detail::find_path(told, "/error/path", path);
    detail::find_text(told, "/error/operation", operation);
    std::int64_t value = 0;
    if (detail::find_integer(told, "/error/retryable", value) == ELECTRUS_OK) retryable = value != 0;
    if (detail::find_integer(told, "/error/os_error", value) == ELECTRUS_OK) os_error = static_cast<int>(value);
    compose();
}

inline void error::state::compose() {
    what = electrus_code_name(code);
    if (!path.empty()) what += ": " + detail::bytes_of(path);
    what += ": " + message;
}

// -------------------------------------------------------------------------------------------------------- what goes in

/// JSON that you have as text already. It goes in as it is, numbers digit for digit.
struct json_text {
    explicit json_text(std::string json) : text(std::move(json)) {}
    std::string text;
};

namespace detail {

/// The owner of a handle of electrus.h: a pointer that is moved, and closed at the end.
template <class Raw> class handle;

} // namespace detail

/// A JSON document that goes in: a json_text, an options object, a number, a flag or nullptr. A bare string is none,
/// since it could be meant as JSON or as a text: say json_text(…) or value(…).
class json_data {
public:
    json_data(std::nullptr_t) : text_("null") {}
    json_data(json_text json) : text_(std::move(json.text)) {}
    json_data(const options &object);
    template <class Number, class = std::enable_if_t<std::is_arithmetic_v<Number>>>
    json_data(Number value) : text_(detail::number(value)) {}

    const std::string &text() const noexcept { return text_; }

protected:
    std::string text_;
};

/// Any JSON value: what json_data takes, a text (which is quoted), a list, or a handle (its number).
class value : public json_data {
public:
    using json_data::json_data;
    value(std::string_view text) : json_data(json_text(detail::quoted(text))) {}
    value(const std::string &text) : value(std::string_view(text)) {}
    value(const char *text) : value(std::string_view(text)) {}
    template <class Item> value(const std::vector<Item> &items) : json_data(json_text("[")) {
        for (const Item &item : items) add(item);
        text_ += ']';
    }
    template <class Raw> value(const detail::handle<Raw> &handle) : json_data(handle.number()) {}

private:
    void add(const value &item) {
        if (text_.size() > 1) text_ += ',';
        text_ += item.text();
    }
};

/// A JSON list out of single values: options{}.set("paths", list{"a", "b"}).
using list = std::vector<value>;

/// Options, or a request: a JSON object, made without writing JSON by hand.
///
///     files.write("a.txt", text, electrus::options{}.set("create_version", false).set("timeout", 2.5));
///
/// Setting a key again replaces its value. A key that the function does not take is ELECTRUS_E_UNKNOWN_OPTION.
class options {
public:
    options() = default;

    options &set(std::string_view key, const value &value) & {
        put(key, value.text());
        return *this;
    }
    options set(std::string_view key, const value &value) && { return std::move(set(key, value)); }

    /// A name. One that is not UTF-8 goes in as the library wants it, in base64 under `KEY_b64`.
    template <class Path, class = std::enable_if_t<std::is_same_v<Path, path>>>
    options &set(std::string_view key, const Path &name) & {
        const std::string bytes = detail::bytes_of(name);
        if (detail::is_utf8(bytes)) return set(key, value(bytes));
        return set(std::string(key) + "_b64", value(detail::to_base64(bytes)));
    }
    template <class Path, class = std::enable_if_t<std::is_same_v<Path, path>>>
    options set(std::string_view key, const Path &name) && {
        return std::move(set(key, name));
    }

    bool empty() const noexcept { return members_.empty(); }
    /// The object as JSON.
    std::string json() const {
        std::string text = "{";
        for (const auto &[key, json] : members_) {
            if (text.size() > 1) text += ',';
            text += detail::quoted(key) + ':' + json;
        }
        return text += '}';
    }

private:
    void put(std::string_view key, const std::string &json) {
        for (auto &member : members_) {
            if (member.first == key) {
                member.second = json;
                return;
            }
        }
        members_.emplace_back(key, json);
    }
    std::vector<std::pair<std::string, std::string>> members_;
};

inline json_data::json_data(const options &object) : text_(object.json()) {}

/// Operations for handler::batch() and handler::transaction(), in their order.
///
///     operations{}.add("write", options{}.set("path", "a").set("content", 0)).add("delete", options{}.set("path", "b"))
class operations {
public:
    operations &add(std::string_view type, options keys) & {
        items_.emplace_back(keys.set("type", type));
        return *this;
    }
    operations add(std::string_view type, options keys) && { return std::move(add(type, std::move(keys))); }
    std::size_t size() const noexcept { return items_.size(); }
    std::string json() const { return value(items_).text(); }

private:
    list items_;
};

/// Contents that go in beside a request, by their index: {"one", bytes, …}.
using inputs = std::vector<bytes_view>;

/// A content that was read, and what is known of it.
struct content {
    buffer bytes;
    document about;
    std::string text() const { return bytes.text(); }
};

/// What an operation gave: its result, and the contents that the result names by index.
struct answer {
    document about;
    outputs contents;
};

/// How far a task is.
struct task_state {
    counts so_far;
    bool done;
};

// ------------------------------------------------------------------------------------------------------------ plumbing

namespace detail {

/// A text for C: ended by a zero, or NULL. One with a zero inside would be cut there, and is refused instead.
class zero_ended {
public:
    zero_ended(std::nullptr_t) noexcept {}
    zero_ended(std::string_view text) : text_(text) {}
    zero_ended(const path &name) : text_(bytes_of(name)) {}
    zero_ended(const std::optional<path> &name) {
        if (name) text_ = bytes_of(*name);
    }
    zero_ended(const std::optional<std::string> &text) : text_(text) {}
    zero_ended(const json_data &data) : text_(data.text()) {}
    zero_ended(const operations &list) : text_(list.json()) {}
    zero_ended(const options &object) {
        if (!object.empty()) text_ = object.json();
    }
    const char *get() const noexcept { return text_ ? text_->c_str() : nullptr; }
    bool cut() const noexcept { return text_ && text_->find('\0') != std::string::npos; }

private:
    std::optional<std::string> text_;
};

inline error cut_text() { return error(ELECTRUS_E_INVALID_ARGUMENT, std::string("a text or name holds a zero")); }

/// What C takes as it is: a pointer or a number.
template <class T> class as_it_is {
public:
    as_it_is(T given) noexcept : given_(given) {}
    T get() const noexcept { return given_; }
    static bool cut() noexcept { return false; }

private:
    T given_;
};

template <class T>
using argument = std::conditional_t<std::is_pointer_v<T> || std::is_arithmetic_v<T>, as_it_is<T>, zero_ended>;

/// Calls unless a text would be cut.
template <class Function, class... Arguments> result<document> ask_c(Function function, const Arguments &...arguments) {
    if ((arguments.cut() || ...)) return cut_text();
    char *told = nullptr;
    const std::int32_t status = function(arguments.get()..., &told);
    document about(told);
    if (status != ELECTRUS_OK) return error(status, about);
    return about;
}

/// Calls a function of electrus.h with what is given and, last, the place for the result.
template <class Function, class... Given> result<document> ask(Function function, const Given &...given) {
    return ask_c(function, argument<Given>(given)...);
}

/// The same for a function that tells nothing when it succeeds.
template <class Function, class... Given> result<void> tell(Function function, const Given &...given) {
    const auto about = ask(function, given...);
    if (!about) return about.error();
    return {};
}

/// The same for one that opens a handle: its place stands before that of the result.
template <class Handle, class Function, class... Given> result<Handle> open(Function function, const Given &...given) {
    typename Handle::raw_type *raw = nullptr;
    auto about = ask(function, given..., &raw);
    if (!about) return about.error();
    return Handle(raw, std::move(*about));
}

/// The same for one that gives a content.
template <class Function, class... Given> result<content> fetch(Function function, const Given &...given) {
    void *data = nullptr;
    std::size_t size = 0;
    auto about = ask(function, given..., &data, &size);
    buffer bytes(data, size);
    if (!about) return about.error();
    return content{std::move(bytes), std::move(*about)};
}

/// The same for one that gives several.
template <class Function, class... Given> result<answer> exchange(Function function, const Given &...given) {
    electrus_bytes *items = nullptr;
    std::size_t count = 0;
    auto about = ask(function, given..., &items, &count);
    outputs contents(items, count);
    if (!about) return about.error();
    return answer{std::move(*about), std::move(contents)};
}

/// The same for one that gives a number.
template <class Number, class Function, class... Given>
result<Number> measure(Function function, const Given &...given) {
    Number value = 0;
    const auto about = ask(function, given..., &value);
    if (!about) return about.error();
    return value;
}

inline std::vector<electrus_bytes> raw(const inputs &contents) {
    std::vector<electrus_bytes> items;
    for (const bytes_view &content : contents) items.push_back({content.data(), content.size()});
    return items;
}

inline std::int32_t close(electrus_handler *raw, char **told) { return electrus_handler_close(raw, told); }
inline std::int32_t close(electrus_lock *raw, char **told) { return electrus_lock_release(raw, told); }
inline std::int32_t close(electrus_writer *raw, char **told) { return electrus_writer_abort(raw, told); }
inline std::int32_t close(electrus_reader *raw, char **told) { return electrus_reader_close(raw, told); }
inline std::int32_t close(electrus_checksum *raw, char **told) { return electrus_checksum_close(raw, told); }
inline std::int32_t close(electrus_versions *raw, char **told) { return electrus_versions_close(raw, told); }
inline std::int32_t close(electrus_json *raw, char **told) { return electrus_json_close(raw, told); }
inline std::int32_t close(electrus_backup *raw, char **told) { return electrus_backup_close(raw, told); }
inline std::int32_t close(electrus_transaction *raw, char **told) { return electrus_transaction_abort(raw, told); }
inline std::int32_t close(electrus_task *raw, char **told) { return electrus_task_close(raw, told); }
inline std::int32_t close(electrus_progress *raw, char **) { return electrus_progress_close(raw); }

template <class Raw> class handle {
public:
    using raw_type = Raw;

    handle(const handle &) = delete;
    handle &operator=(const handle &) = delete;

    /// Whether it holds something: false once it was moved from, closed, committed or released.
    explicit operator bool() const noexcept { return raw() != nullptr; }
    /// The handle for functions of electrus.h; this object still owns it.
    Raw *raw() const noexcept { return raw_.load(std::memory_order_acquire); }
    /// Its number, as options name it.
    std::uintptr_t number() const noexcept { return reinterpret_cast<std::uintptr_t>(raw()); }
    /// The handle for functions of electrus.h, which is yours from now on.
    Raw *detach() noexcept { return raw_.exchange(nullptr, std::memory_order_acq_rel); }
    /// What was told when it was opened.
    const document &opened() const noexcept { return opened_; }

protected:
    handle() noexcept = default;
    handle(Raw *raw, document opened) noexcept : raw_(raw), opened_(std::move(opened)) {}
    handle(handle &&other) noexcept : raw_(other.detach()), opened_(std::move(other.opened_)) {}
    handle &operator=(handle &&other) noexcept {
        if (this != &other) {
            drop(raw_.exchange(other.detach(), std::memory_order_acq_rel));
            opened_ = std::move(other.opened_);
        }
        return *this;
    }
    ~handle() { drop(detach()); }

    result<void> end() {
        Raw *raw = detach();
        return tell([raw](char **told) { return close(raw, told); });
    }

private:
    static void drop(Raw *raw) noexcept {
        if (raw) close(raw, nullptr);
    }
    std::atomic<Raw *> raw_{nullptr};
    document opened_;
};

} // namespace detail

// ------------------------------------------------------------------------------------------------- locks and progress

/// A lock that is held, and released at the end. It belongs to its owner (the thread that took it, unless the option
/// `owner` says otherwise), but any thread may use and release it. To run an operation under it, set it as the option `lock`.
class lock : public detail::handle<electrus_lock> {
public:
    lock() noexcept = default;
    explicit lock(electrus_lock *raw, document opened = document()) noexcept : handle(raw, std::move(opened)) {}

    /// Takes the lock of a file by its ordinary path.
    static lock acquire(const path &file, const options &opts = {}) { return try_acquire(file, opts).value(); }
    static result<lock> try_acquire(const path &file, const options &opts = {}) {
        return detail::open<lock>(electrus_lock_acquire, file, opts);
    }
    /// Who holds the lock of a file, by its ordinary path.
    static document holders(const path &file) { return try_holders(file).value(); }
    static result<document> try_holders(const path &file) { return detail::ask(electrus_lock_holders, file); }

    /// How and since when it is held.
    document show() const { return try_show().value(); }
    result<document> try_show() const { return detail::ask(electrus_lock_show, raw()); }
    /// Lets programs that this one starts use the lock, by an environment variable.
    document lend() const { return try_lend().value(); }
    result<document> try_lend() const { return detail::ask(electrus_lock_lend, raw()); }
    /// Gives it back, once no call runs under it any more.
    void release() { try_release().value(); }
    result<void> try_release() { return end(); }
};

/// Watches and cancels the calls that have it as their option `progress`. Closing it lets them go on.
class progress : public detail::handle<electrus_progress> {
public:
    progress() noexcept = default;
    explicit progress(electrus_progress *raw, document opened = document()) noexcept : handle(raw, std::move(opened)) {}

    static progress open() { return try_open().value(); }
    static result<progress> try_open() {
        return detail::open<progress>([](electrus_progress **raw, char **) { return electrus_progress_open(raw); });
    }
    /// How far the calls are.
    counts read() const { return try_read().value(); }
    result<counts> try_read() const {
        counts so_far = {};
        const std::int32_t status = electrus_progress_read(raw(), &so_far);
        return detail::plain(status, so_far);
    }
    /// Asks them to stop. Not from a signal handler.
    void cancel() const { try_cancel().value(); }
    result<void> try_cancel() const { return detail::plain(electrus_progress_cancel(raw())); }
    void close() { try_close().value(); }
    result<void> try_close() { return end(); }
};

// ------------------------------------------------------------------------------------------------------------- streams

/// A file that is being written in pieces: it takes its name all at once at commit(), and readers see the old content
/// until then. Without commit() nothing happens to the file.
class writer : public detail::handle<electrus_writer> {
public:
    writer() noexcept = default;
    explicit writer(electrus_writer *raw, document opened = document()) noexcept : handle(raw, std::move(opened)) {}

    /// On an ordinary path, without lock and history. For those see handler::writer().
    static writer open(const path &file, const options &opts = {}) { return try_open(file, opts).value(); }
    static result<writer> try_open(const path &file, const options &opts = {}) {
        return detail::open<writer>(electrus_writer_open, file, opts);
    }
    /// Writes more. After an error the writer can only be given up.
    void write(bytes_view data) const { try_write(data).value(); }
    result<void> try_write(bytes_view data) const {
        return detail::tell(electrus_writer_write, raw(), data.data(), data.size());
    }
    /// Lets what was written take the name, durably. The writer is gone, also after an error.
    document commit() { return try_commit().value(); }
    result<document> try_commit() { return detail::ask(electrus_writer_commit, detach()); }
    /// Gives up what was written.
    void abort() { try_abort().value(); }
    result<void> try_abort() { return end(); }
};

/// A file, version or file of a backup that is being read in pieces, as it was when it was opened.
class reader : public detail::handle<electrus_reader> {
public:
    reader() noexcept = default;
    explicit reader(electrus_reader *raw, document opened = document()) noexcept : handle(raw, std::move(opened)) {}

    /// Reads on: fills the buffer; fewer bytes come only at the end, and 0 at the end itself.
    std::size_t read(void *room, std::size_t size) const { return try_read(room, size).value(); }
    result<std::size_t> try_read(void *room, std::size_t size) const {
        return detail::measure<std::size_t>(electrus_reader_read, raw(), room, size);
    }
    /// Reads a part, wherever read() stands, and without moving that.
    std::size_t read_at(std::uint64_t offset, void *room, std::size_t size) const {
        return try_read_at(offset, room, size).value();
    }
    result<std::size_t> try_read_at(std::uint64_t offset, void *room, std::size_t size) const {
        return detail::measure<std::size_t>(electrus_reader_read_at, raw(), offset, room, size);
    }
    /// Lets read() go on elsewhere.
    void seek(std::uint64_t offset) const { try_seek(offset).value(); }
    result<void> try_seek(std::uint64_t offset) const { return detail::tell(electrus_reader_seek, raw(), offset); }
    /// How long the content was when it was opened.
    std::uint64_t size() const { return try_size().value(); }
    result<std::uint64_t> try_size() const { return detail::measure<std::uint64_t>(electrus_reader_size, raw()); }
    void close() { try_close().value(); }
    result<void> try_close() { return end(); }
};

/// A checksum, or several in one pass, of data that comes in pieces.
class checksum : public detail::handle<electrus_checksum> {
public:
    checksum() noexcept = default;
    explicit checksum(electrus_checksum *raw, document opened = document()) noexcept : handle(raw, std::move(opened)) {}

    static checksum open(const options &opts = {}) { return try_open(opts).value(); }
    static result<checksum> try_open(const options &opts = {}) {
        return detail::open<checksum>(electrus_checksum_open, opts);
    }
    /// Takes more data in.
    void update(bytes_view data) const { try_update(data).value(); }
    result<void> try_update(bytes_view data) const {
        return detail::tell(electrus_checksum_update, raw(), data.data(), data.size());
    }
    /// Ends it: `checksum`, `checksums`, `size`. The handle is gone, also after an error.
    document finish() { return try_finish().value(); }
    result<document> try_finish() { return detail::ask(electrus_checksum_finish, detach()); }
    void close() { try_close().value(); }
    result<void> try_close() { return end(); }

    /// Checksums of a file by its ordinary path.
    static document file(const path &file, const options &opts = {}) { return try_file(file, opts).value(); }
    static result<document> try_file(const path &file, const options &opts = {}) {
        return detail::ask(electrus_checksum_file, file, opts);
    }
    /// Whether a file has a checksum: `ok`.
    static document verify(const path &file, std::string_view expected, const options &opts = {}) {
        return try_verify(file, expected, opts).value();
    }
    static result<document> try_verify(const path &file, std::string_view expected, const options &opts = {}) {
        return detail::ask(electrus_checksum_verify, file, expected, opts);
    }
    /// Checksums of every file below a folder.
    static document tree(const path &folder, const options &opts = {}) { return try_tree(folder, opts).value(); }
    static result<document> try_tree(const path &folder, const options &opts = {}) {
        return detail::ask(electrus_checksum_tree, folder, opts);
    }
};

// ------------------------------------------------------------------------------------------------------ a base's parts

/// The history of the files of a base folder.
class versions : public detail::handle<electrus_versions> {
public:
    versions() noexcept = default;
    explicit versions(electrus_versions *raw, document opened = document()) noexcept : handle(raw, std::move(opened)) {}

    static versions open(const path &base, const options &opts = {}) { return try_open(base, opts).value(); }
    static result<versions> try_open(const path &base, const options &opts = {}) {
        return detail::open<versions>(electrus_versions_open, base, opts);
    }
    /// Records a file as it stands, whoever wrote it.
    document create(const path &file, const options &opts = {}) const { return try_create(file, opts).value(); }
    result<document> try_create(const path &file, const options &opts = {}) const {
        return detail::ask(electrus_versions_create, raw(), file, opts);
    }
    /// The versions of a file, or of std::nullopt every file that has some.
    document list(const std::optional<path> &file, const options &opts = {}) const {
        return try_list(file, opts).value();
    }
    result<document> try_list(const std::optional<path> &file, const options &opts = {}) const {
        return detail::ask(electrus_versions_list, raw(), file, opts);
    }
    /// Reads a version. One of two that claim a number is named by the option `record` instead, with 0 here.
    content read(const path &file, std::uint64_t version, const options &opts = {}) const {
        return try_read(file, version, opts).value();
    }
    result<content> try_read(const path &file, std::uint64_t version, const options &opts = {}) const {
        return detail::fetch(electrus_versions_read, raw(), file, version, opts);
    }
    /// What changed since a version, to the version of the option `to` or to the file as it is.
    document diff(const path &file, std::uint64_t from, const options &opts = {}) const {
        return try_diff(file, from, opts).value();
    }
    result<document> try_diff(const path &file, std::uint64_t from, const options &opts = {}) const {
        return detail::ask(electrus_versions_diff, raw(), file, from, opts);
    }
    /// Puts a version back, as a new version.
    document restore(const path &file, std::uint64_t version, const options &opts = {}) const {
        return try_restore(file, version, opts).value();
    }
    result<document> try_restore(const path &file, std::uint64_t version, const options &opts = {}) const {
        return detail::ask(electrus_versions_restore, raw(), file, version,
            opts);
    }
    /// Tags a version, so that prune() keeps it, or, with the option `remove`, takes the tag away.
    document tag(const path &file, std::uint64_t version, std::string_view tag, const options &opts = {}) const {
        return try_tag(file, version, tag, opts).value();
    }
    result<document> try_tag(const path &file, std::uint64_t version, std::string_view tag,
                             const options &opts = {}) const {
        return detail::ask(electrus_versions_tag, raw(), file, version, tag, opts);
    }
    /// Removes versions that no rule keeps, of one file or of std::nullopt all.
    document prune(const std::optional<path> &file, const options &opts = {}) const {
        return try_prune(file, opts).value();
    }
    result<document> try_prune(const std::optional<path> &file, const options &opts = {}) const {
        return detail::ask(electrus_versions_prune, raw(), file, opts);
    }
    /// Reads and checks every byte of the store: `ok`.
    document verify(const options &opts = {}) const { return try_verify(opts).value(); }
    result<document> try_verify(const options &opts = {}) const {
        return detail::ask(electrus_versions_verify, raw(), opts);
    }
    void close() { try_close().value(); }
    result<void> try_close() { return end(); }
};

/// The JSON documents of a base folder.
///
///     files.json().set("config.json", "/window/width", 1280);
///     files.json().write("config.json", electrus::json_text(R"({"window": {"width": 1280}})"));
class json : public detail::handle<electrus_json> {
    template <class Text>
    using bare_string =
        std::enable_if_t<std::is_convertible_v<const Text &, std::string_view> && !std::is_null_pointer_v<Text>>;

public:
    json() noexcept = default;
    explicit json(electrus_json *raw, document opened = document()) noexcept : handle(raw, std::move(opened)) {}

    static json open(const path &base, const options &opts = {}) { return try_open(base, opts).value(); }
    static result<json> try_open(const path &base, const options &opts = {}) {
        return detail::open<json>(electrus_json_open, base, opts);
    }
    /// Reads a document: `data` in the result.
    document read(const path &file, const options &opts = {}) const { return try_read(file, opts).value(); }
    result<document> try_read(const path &file, const options &opts = {}) const {
        return detail::ask(electrus_json_read, raw(), file, opts);
    }
    /// Reads the value that a JSON Pointer names: `data` in the result.
    document get(const path &file, std::string_view pointer, const options &opts = {}) const {
        return try_get(file, pointer, opts).value();
    }
    result<document> try_get(const path &file, std::string_view pointer, const options &opts = {}) const {
        return detail::ask(electrus_json_get, raw(), file, pointer, opts);
    }
    /// Replaces a document.
    document write(const path &file, const json_data &data, const options &opts = {}) const {
        return try_write(file, data, opts).value();
    }
    result<document> try_write(const path &file, const json_data &data, const options &opts = {}) const {
        return detail::ask(electrus_json_write, raw(), file, data, opts);
    }
    /// Sets one value.
    document set(const path &file, std::string_view pointer, const value &value, const options &opts = {}) const {
        return try_set(file, pointer, value, opts).value();
    }
    result<document> try_set(const path &file, std::string_view pointer, const value &value,
                             const options &opts = {}) const {
        return detail::ask(electrus_json_set, raw(), file, pointer, value, opts);
    }
    /// Merges into a document (RFC 7396); null removes a key.
    document merge(const path &file, const json_data &patch, const options &opts = {}) const {
        return try_merge(file, patch, opts).value();
    }
    result<document> try_merge(const path &file, const json_data &patch, const options &opts = {}) const {
        return detail::ask(electrus_json_merge, raw(), file, patch, opts);
    }
    /// Applies a JSON Patch (RFC 6902), all of it or nothing.
    document patch(const path &file, const json_data &patch, const options &opts = {}) const {
        return try_patch(file, patch, opts).value();
    }
    result<document> try_patch(const path &file, const json_data &patch, const options &opts = {}) const {
        return detail::ask(electrus_json_patch, raw(), file, patch, opts);
    }
    void close() { try_close().value(); }
    result<void> try_close() { return end(); }

    // A bare string: see json_data.
    template <class Text, class = bare_string<Text>>
    document write(const path &, const Text &, const options & = {}) const = delete;
    template <class Text, class = bare_string<Text>>
    result<document> try_write(const path &, const Text &, const options & = {}) const = delete;
    template <class Text, class = bare_string<Text>>
    document merge(const path &, const Text &, const options & = {}) const = delete;
    template <class Text, class = bare_string<Text>>
    result<document> try_merge(const path &, const Text &, const options & = {}) const = delete;
    template <class Text, class = bare_string<Text>>
    document patch(const path &, const Text &, const options & = {}) const = delete;
    template <class Text, class = bare_string<Text>>
    result<document> try_patch(const path &, const Text &, const options & = {}) const = delete;
};

/// An operation that runs beside the caller, or a lock that is waited for. A task that is dropped is cancelled, and what
/// it gives in the end is dropped too.
class task : public detail::handle<electrus_task> {
public:
    task() noexcept = default;
    explicit task(electrus_task *raw, document opened = document()) noexcept : handle(raw, std::move(opened)) {}

    /// Starts to wait for the lock of a file by its ordinary path. See also handler::start() and handler::start_lock().
    static task start_lock(const path &file, const options &opts = {}) { return try_start_lock(file, opts).value(); }
    static result<task> try_start_lock(const path &file, const options &opts = {}) {
        return detail::open<task>(electrus_task_start_lock, static_cast<const electrus_handler *>(nullptr), file, opts);
    }
    /// How far it is; it does not wait.
    task_state poll() const { return try_poll().value(); }
    result<task_state> try_poll() const {
        counts so_far = {};
        const auto about = detail::ask(electrus_task_poll, raw(), &so_far);
        if (!about) return about.error();
        const auto done = about->try_integer("/done");
        if (!done) return done.error();
        return task_state{so_far, *done != 0};
    }
    /// Waits until it is done, at most so many seconds (0 looks, negative waits for ever).
    bool wait(double seconds = -1) const { return try_wait(seconds).value(); }
    result<bool> try_wait(double seconds = -1) const {
        std::int32_t done = 0;
        const std::int32_t status = electrus_task_wait(raw(), seconds, &done);
        return detail::plain(status, done != 0);
    }
    template <class Rep, class Period> bool wait(std::chrono::duration<Rep, Period> time) const {
        return wait(std::chrono::duration<double>(time).count());
    }
    /// Asks it to stop.
    void cancel() const { try_cancel().value(); }
    result<void> try_cancel() const { return detail::plain(electrus_task_cancel(raw())); }
    /// Waits for the end of an operation, and gives what handler::call() would have given. The task is gone, also after
    /// an error.
    answer finish() { return try_finish().value(); }
    result<answer> try_finish() { return detail::exchange(electrus_task_finish, detach()); }
    /// The same for one that takes a lock.
    electrus::lock lock() { return try_lock().value(); }
    result<electrus::lock> try_lock() { return detail::open<electrus::lock>(electrus_task_lock, detach()); }
    /// Cancels it without waiting.
    void close() { try_close().value(); }
    result<void> try_close() { return end(); }
};

/// Backups: those of a base folder, or a backup folder of its own.
class backup : public detail::handle<electrus_backup> {
public:
    backup() noexcept = default;
    explicit backup(electrus_backup *raw, document opened = document()) noexcept : handle(raw, std::move(opened)) {}

    /// A backup folder of its own. For a base folder's see handler::backup().
    static backup open(const path &folder, const options &opts = {}) { return try_open(folder, opts).value(); }
    static result<backup> try_open(const path &folder, const options &opts = {}) {
        return detail::open<backup>(electrus_backup_open, folder, opts);
    }
    /// Backs files and folders up; of std::nullopt, a name made from the time and the whole base.
    document create(const std::optional<std::string> &name = std::nullopt,
                    const std::optional<std::vector<path>> &paths = std::nullopt, const options &opts = {}) const {
        return try_create(name, paths, opts).value();
    }
    result<document> try_create(const std::optional<std::string> &name = std::nullopt,
                                const std::optional<std::vector<path>> &paths = std::nullopt,
                                const options &opts = {}) const {
        return detail::ask(electrus_backup_create, raw(), name, names(paths), opts);
    }
    /// Every backup, by time: `backups`.
    document list(const options &opts = {}) const { return try_list(opts).value(); }
    result<document> try_list(const options &opts = {}) const {
        return detail::ask(electrus_backup_list, raw(), opts);
    }
    /// What a backup holds: `files`.
    document show(std::string_view name, const options &opts = {}) const { return try_show(name, opts).value(); }
    result<document> try_show(std::string_view name, const options &opts = {}) const {
        return detail::ask(electrus_backup_show, raw(), name, opts);
    }
    /// Reads one file of a backup, verified.
    content read(std::string_view name, const path &file, const options &opts = {}) const {
        return try_read(name, file, opts).value();
    }
    result<content> try_read(std::string_view name, const path &file, const options &opts = {}) const {
        return detail::fetch(electrus_backup_read, raw(), name, file, opts);
    }
    /// Opens one file of a backup, to be read in pieces.
    electrus::reader reader(std::string_view name, const path &file, const options &opts = {}) const {
        return try_reader(name, file, opts).value();
    }
    result<electrus::reader> try_reader(std::string_view name, const path &file, const options &opts = {}) const {
        return detail::open<electrus::reader>(electrus_backup_reader, raw(), name, file,
                                              opts);
    }
    /// Reads and checks every byte of a backup, or of std::nullopt all: `ok`.
    document verify(const std::optional<std::string> &name = std::nullopt, const options &opts = {}) const {
        return try_verify(name, opts).value();
    }
    result<document> try_verify(const std::optional<std::string> &name = std::nullopt, const options &opts = {}) const {
        return detail::ask(electrus_backup_verify, raw(), name, opts);
    }
    /// Restores a backup or a part of it, to its place or elsewhere.
    document restore(std::string_view name, const options &opts = {}) const { return try_restore(name, opts).value(); }
    result<document> try_restore(std::string_view name, const options &opts = {}) const {
        return detail::ask(electrus_backup_restore, raw(), name, opts);
    }
    /// What stands in the way of a restore: `conflicts`.
    document conflicts(std::string_view name, const options &opts = {}) const {
        return try_conflicts(name, opts).value();
    }
    result<document> try_conflicts(std::string_view name, const options &opts = {}) const {
        return detail::ask(electrus_backup_conflicts, raw(), name, opts);
    }
    /// Removes backups that no rule keeps; the newest stays.
    document prune(const options &opts = {}) const { return try_prune(opts).value(); }
    result<document> try_prune(const options &opts = {}) const {
        return detail::ask(electrus_backup_prune, raw(), opts);
    }
    /// Starts an operation on backups beside the caller.
    electrus::task start(std::string_view operation, const options &request = {}) const {
        return try_start(operation, request).value();
    }
    result<electrus::task> try_start(std::string_view operation, const options &request = {}) const {
        return detail::open<electrus::task>(electrus_task_start_backup, raw(), operation,
                                            request);
    }
    void close() { try_close().value(); }
    result<void> try_close() { return end(); }

private:
    static std::optional<std::string> names(const std::optional<std::vector<path>> &paths) {
        if (!paths) return std::nullopt;
        electrus::list items;
        for (const path &name : *paths) items.emplace_back(detail::bytes_of(name));
        return value(items).text();
    }
};

/// Changes that are staged, and done all or none at commit(). Without commit() nothing happens.
class transaction : public detail::handle<electrus_transaction> {
public:
    transaction() noexcept = default;
    explicit transaction(electrus_transaction *raw, document opened = document()) noexcept
        : handle(raw, std::move(opened)) {}

    /// Stages a write; the content is copied.
    document write(const path &file, bytes_view content, const options &opts = {}) const {
        return try_write(file, content, opts).value();
    }
    result<document> try_write(const path &file, bytes_view content, const options &opts = {}) const {
        return detail::ask(electrus_transaction_write, raw(), file, content.data(), content.size(), opts);
    }
    /// Stages a delete.
    document remove(const path &file, const options &opts = {}) const { return try_remove(file, opts).value(); }
    result<document> try_remove(const path &file, const options &opts = {}) const {
        return detail::ask(electrus_transaction_delete, raw(), file, opts);
    }
    /// Stages a rename.
    document rename(const path &source, const path &destination, const options &opts = {}) const {
        return try_rename(source, destination, opts).value();
    }
    result<document> try_rename(const path &source, const path &destination, const options &opts = {}) const {
        return detail::ask(electrus_transaction_rename, raw(), source, destination, opts);
    }
    /// Stages a copy.
    document copy(const path &source, const path &destination, const options &opts = {}) const {
        return try_copy(source, destination, opts).value();
    }
    result<document> try_copy(const path &source, const path &destination, const options &opts = {}) const {
        return detail::ask(electrus_transaction_copy, raw(), source, destination, opts);
    }
    /// Does all that is staged, or nothing. The transaction is gone, also after an error.
    document commit() { return try_commit().value(); }
    result<document> try_commit() { return detail::ask(electrus_transaction_commit, detach()); }
    /// Forgets what is staged.
    void abort() { try_abort().value(); }
    result<void> try_abort() { return end(); }
};

// ------------------------------------------------------------------------------------------------------------- handler

/// An open base folder: every name that its functions take is beneath it.
class handler : public detail::handle<electrus_handler> {
public:
    handler() noexcept = default;
    explicit handler(electrus_handler *raw, document opened = document()) noexcept : handle(raw, std::move(opened)) {}
    /// Opens an existing base folder, and carries out transactions that a crash left.
    explicit handler(const path &base, const options &opts = {}) : handler(open(base, opts)) {}
    static handler open(const path &base, const options &opts = {}) { return try_open(base, opts).value(); }
    static result<handler> try_open(const path &base, const options &opts = {}) {
        return detail::open<handler>(electrus_handler_open, base, opts);
    }

    /// Replaces the content of a file: locked, atomic, durable, versioned, verified.
    document write(const path &file, bytes_view content, const options &opts = {}) const {
        return try_write(file, content, opts).value();
    }
    result<document> try_write(const path &file, bytes_view content, const options &opts = {}) const {
        return detail::ask(electrus_handler_write, raw(), file, content.data(), content.size(), opts);
    }
    /// Reads a whole file, or a version of it. For large ones see reader().
    content read(const path &file, const options &opts = {}) const { return try_read(file, opts).value(); }
    result<content> try_read(const path &file, const options &opts = {}) const {
        return detail::fetch(electrus_handler_read, raw(), file, opts);
    }
    /// What is known of a file: size, checksum, times, newest version, permissions.
    document stat(const path &file, const options &opts = {}) const { return try_stat(file, opts).value(); }
    result<document> try_stat(const path &file, const options &opts = {}) const {
        return detail::ask(electrus_handler_stat, raw(), file, opts);
    }
    /// Copies a file.
    document copy(const path &source, const path &destination, const options &opts = {}) const {
        return try_copy(source, destination, opts).value();
    }
    result<document> try_copy(const path &source, const path &destination, const options &opts = {}) const {
        return detail::ask(electrus_handler_copy, raw(), source, destination, opts);
    }
    /// Renames a file; both histories tell of it.
    document rename(const path &source, const path &destination, const options &opts = {}) const {
        return try_rename(source, destination, opts).value();
    }
    result<document> try_rename(const path &source, const path &destination, const options &opts = {}) const {
        return detail::ask(electrus_handler_rename, raw(), source, destination, opts);
    }
    /// Deletes a file; its history stays. (`delete` is a word of C++.)
    document remove(const path &file, const options &opts = {}) const { return try_remove(file, opts).value(); }
    result<document> try_remove(const path &file, const options &opts = {}) const {
        return detail::ask(electrus_handler_delete, raw(), file, opts);
    }
    /// Checksums of a file, several in one pass.
    document checksum(const path &file, const options &opts = {}) const { return try_checksum(file, opts).value(); }
    result<document> try_checksum(const path &file, const options &opts = {}) const {
        return detail::ask(electrus_handler_checksum, raw(), file, opts);
    }
    /// Who holds the lock of a file.
    document locks(const path &file, const options &opts = {}) const { return try_locks(file, opts).value(); }
    result<document> try_locks(const path &file, const options &opts = {}) const {
        return detail::ask(electrus_handler_locks, raw(), file, opts);
    }
    /// Reads and checks every byte of the store: `ok`.
    document verify(const options &opts = {}) const { return try_verify(opts).value(); }
    result<document> try_verify(const options &opts = {}) const {
        return detail::ask(electrus_handler_verify, raw(), opts);
    }
    /// Rebuilds indexes and sets damage aside.
    document repair(const options &opts = {}) const { return try_repair(opts).value(); }
    result<document> try_repair(const options &opts = {}) const {
        return detail::ask(electrus_handler_repair, raw(), opts);
    }
    /// Imports what the original Python Electrus left in a folder, an ordinary path. (`import` is a word of C++20.)
    document import_from(const path &folder, const options &opts = {}) const {
        return try_import_from(folder, opts).value();
    }
    result<document> try_import_from(const path &folder, const options &opts = {}) const {
        return detail::ask(electrus_handler_import, raw(), folder, opts);
    }
    /// Carries out transactions whose owners have died since the handler was opened.
    document recover() const { return try_recover().value(); }
    result<document> try_recover() const { return detail::ask(electrus_handler_recover, raw()); }

    /// Runs any operation of the table by its name. Where the request says `"content": N` it means `contents[N]`; where
    /// the result does, it means the N-th that came back.
    answer call(std::string_view operation, const options &request = {}, const inputs &contents = {}) const {
        return try_call(operation, request, contents).value();
    }
    result<answer> try_call(std::string_view operation, const options &request = {},
                            const inputs &contents = {}) const {
        return run(operation, request, contents);
    }
    /// The same with a request that is JSON already.
    answer call(std::string_view operation, const json_text &request, const inputs &contents = {}) const {
        return try_call(operation, request, contents).value();
    }
    result<answer> try_call(std::string_view operation, const json_text &request, const inputs &contents = {}) const {
        return run(operation, request, contents);
    }
    /// Runs operations on all cores; one that fails fails alone.
    answer batch(const operations &steps, const inputs &contents = {}, const options &opts = {}) const {
        return try_batch(steps, contents, opts).value();
    }
    result<answer> try_batch(const operations &steps, const inputs &contents = {}, const options &opts = {}) const {
        const auto items = detail::raw(contents);
        return detail::exchange(electrus_handler_batch, raw(), steps, items.data(), items.size(), opts);
    }
    /// Writes, deletes, renames and copies several files, all or none. To stage one by one see begin().
    document transaction(const operations &steps, const inputs &contents = {}, const options &opts = {}) const {
        return try_transaction(steps, contents, opts).value();
    }
    result<document> try_transaction(const operations &steps, const inputs &contents = {},
                                     const options &opts = {}) const {
        const auto items = detail::raw(contents);
        return detail::ask(electrus_handler_transaction, raw(), steps, items.data(), items.size(), opts);
    }

    /// Takes the lock of a file.
    electrus::lock lock(const path &file, const options &opts = {}) const { return try_lock(file, opts).value(); }
    result<electrus::lock> try_lock(const path &file, const options &opts = {}) const {
        return detail::open<electrus::lock>(electrus_handler_lock, raw(), file, opts);
    }
    /// Opens a file, or a version of it, to be read in pieces.
    electrus::reader reader(const path &file, const options &opts = {}) const { return try_reader(file, opts).value(); }
    result<electrus::reader> try_reader(const path &file, const options &opts = {}) const {
        return detail::open<electrus::reader>(electrus_handler_reader, raw(), file, opts);
    }
    /// Writes a file in pieces; at its commit() it is locked, versioned and verified as by write().
    electrus::writer writer(const path &file, const options &opts = {}) const { return try_writer(file, opts).value(); }
    result<electrus::writer> try_writer(const path &file, const options &opts = {}) const {
        return detail::open<electrus::writer>(electrus_handler_writer, raw(), file, opts);
    }
    /// Begins a transaction.
    electrus::transaction begin(const options &opts = {}) const { return try_begin(opts).value(); }
    result<electrus::transaction> try_begin(const options &opts = {}) const {
        return detail::open<electrus::transaction>(electrus_transaction_begin, raw(),
                                                   opts);
    }
    /// The history of this base folder.
    electrus::versions versions() const { return try_versions().value(); }
    result<electrus::versions> try_versions() const {
        return detail::open<electrus::versions>(electrus_handler_versions, raw());
    }
    /// The JSON documents of this base folder.
    electrus::json json() const { return try_json().value(); }
    result<electrus::json> try_json() const { return detail::open<electrus::json>(electrus_handler_json, raw()); }
    /// The backups of this base folder.
    electrus::backup backup() const { return try_backup().value(); }
    result<electrus::backup> try_backup() const {
        return detail::open<electrus::backup>(electrus_handler_backup, raw());
    }
    /// Starts any operation of the table beside the caller; contents are copied.
    electrus::task start(std::string_view operation, const options &request = {}, const inputs &contents = {}) const {
        return try_start(operation, request, contents).value();
    }
    result<electrus::task> try_start(std::string_view operation, const options &request = {},
                                     const inputs &contents = {}) const {
        const auto items = detail::raw(contents);
        return detail::open<electrus::task>(electrus_task_start, raw(), operation, request, items.data(), items.size());
    }
    /// Starts to wait for the lock of a file; task::lock() gives it.
    electrus::task start_lock(const path &file, const options &opts = {}) const {
        return try_start_lock(file, opts).value();
    }
    result<electrus::task> try_start_lock(const path &file, const options &opts = {}) const {
        return detail::open<electrus::task>(electrus_task_start_lock, raw(), file, opts);
    }

    /// Closes it, and reports a failure to write down what was postponed.
    void close() { try_close().value(); }
    result<void> try_close() { return end(); }

private:
    result<answer> run(std::string_view operation, const json_data &request, const inputs &contents) const {
        const auto items = detail::raw(contents);
        return detail::exchange(electrus_handler_call, raw(), operation, request, items.data(), items.size());
    }
};

// ------------------------------------------------------------------------------------------------------------ iostreams

namespace detail {

class writer_buffer : public std::streambuf {
public:
    explicit writer_buffer(writer target) : target_(std::move(target)) { setp(room_, room_ + sizeof room_); }

    result<document> commit() {
        if (sync() == 0) return target_.try_commit();
        const auto aborted = target_.try_abort();
        static_cast<void>(aborted);
        return *failed_;
    }

protected:
    int_type overflow(int_type character) override {
        if (sync() != 0) return traits_type::eof();
        if (traits_type::eq_int_type(character, traits_type::eof())) return traits_type::not_eof(character);
        return sputc(traits_type::to_char_type(character));
    }
    int sync() override {
        if (failed_) return -1;
        const auto done = target_.try_write({pbase(), static_cast<std::size_t>(pptr() - pbase())});
        setp(room_, room_ + sizeof room_);
        if (!done) failed_ = done.error();
        return done ? 0 : -1;
    }

private:
    writer target_;
    std::optional<error> failed_;
    char room_[64 * 1024];
};

class reader_buffer : public std::streambuf {
public:
    reader_buffer(reader source, std::ios &owner) : source_(std::move(source)), owner_(owner) {}
    const std::optional<error> &failed() const noexcept { return failed_; }

protected:
    int_type underflow() override {
        const auto count = source_.try_read(room_, sizeof room_);
        if (!count) {
            // Or else damage would be taken for the end.
            failed_ = count.error();
            owner_.setstate(std::ios::badbit);
            return traits_type::eof();
        }
        setg(room_, room_, room_ + *count);
        position_ += static_cast<off_type>(*count);
        return *count == 0 ? traits_type::eof() : traits_type::to_int_type(room_[0]);
    }
    pos_type seekoff(off_type offset, std::ios_base::seekdir from, std::ios_base::openmode mode) override {
        const off_type here = position_ - (egptr() - gptr());
        if (from == std::ios_base::cur) return offset == 0 ? pos_type(here) : seekpos(here + offset, mode);
        if (from == std::ios_base::beg) return seekpos(offset, mode);
        const auto size = source_.try_size();
        return size ? seekpos(static_cast<off_type>(*size) + offset, mode) : pos_type(off_type(-1));
    }
    pos_type seekpos(pos_type position, std::ios_base::openmode) override {
        const off_type offset = position;
        if (offset < 0 || !source_.try_seek(static_cast<std::uint64_t>(offset))) return pos_type(off_type(-1));
        setg(room_, room_, room_);
        position_ = offset;
        return position;
    }

private:
    reader source_;
    std::ios &owner_;
    std::optional<error> failed_;
    off_type position_ = 0; // of egptr()
    char room_[64 * 1024];
};

} // namespace detail

/// A writer as std::ostream. What is written takes its name at commit(); without it nothing happens to the file.
///
///     electrus::writer_stream out(files.writer("list.txt"));
///     out << "one line\n";
///     out.commit();
class writer_stream : public std::ostream {
public:
    explicit writer_stream(writer target) : std::ostream(nullptr), buffer_(std::move(target)) { rdbuf(&buffer_); }

    /// Throws also if writing failed before.
    document commit() { return try_commit().value(); }
    result<document> try_commit() { return buffer_.commit(); }

private:
    detail::writer_buffer buffer_;
};

/// A reader as std::istream, which can be sought in. If reading fails it is bad(), and not just at its end.
class reader_stream : public std::istream {
public:
    explicit reader_stream(reader source) : std::istream(nullptr), buffer_(std::move(source), *this) {
        rdbuf(&buffer_);
    }

    /// Why it is bad(), if it is.
    const std::optional<error> &failed() const noexcept { return buffer_.failed(); }

private:
    detail::reader_buffer buffer_;
};

// --------------------------------------------------------------------------------------------------- files by any path

/// Replaces the content of a file by its ordinary path, atomically and durably; no lock, no history.
inline result<document> try_atomic_write(const path &file, bytes_view content, const options &opts = {}) {
    return detail::ask(electrus_atomic_write, file, content.data(), content.size(), opts);
}
inline document atomic_write(const path &file, bytes_view content, const options &opts = {}) {
    return try_atomic_write(file, content, opts).value();
}

/// Removes the temporary files that dead writers left in a folder.
inline result<document> try_atomic_tidy(const path &folder, const options &opts = {}) {
    return detail::ask(electrus_atomic_tidy, folder, opts);
}
inline document atomic_tidy(const path &folder, const options &opts = {}) {
    return try_atomic_tidy(folder, opts).value();
}

// --------------------------------------------------------------------------------------------------------- the library

/// The version of the library that runs, as in "1.2.3".
inline std::string_view version() noexcept { return electrus_version(); }

/// Whether the library that runs has the interface that this header was made for. Ask once, when your program starts.
inline bool abi_matches() noexcept { return electrus_abi_version() == ELECTRUS_ABI_VERSION; }

/// What this build can do, as JSON.
inline std::string_view features() noexcept { return electrus_features(); }

/// The tables of the library: operations, types, codes, functions.
inline result<document> try_describe() { return detail::ask(electrus_library_describe); }
inline document describe() { return try_describe().value(); }

/// What is open and what is with the caller: for tests that look for leaks.
inline result<document> try_usage() { return detail::ask(electrus_library_usage); }
inline document usage() { return try_usage().value(); }

/// Makes an owner of locks, for programs whose tasks are not threads: set it as the option `owner`.
inline result<std::uint64_t> try_create_owner() {
    std::uint64_t owner = 0;
    const std::int32_t status = electrus_owner_create(&owner);
    return detail::plain(status, owner);
}
inline std::uint64_t create_owner() { return try_create_owner().value(); }

} // namespace electrus

#endif // ELECTRUS_HPP
