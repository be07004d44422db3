// json-c as C++: a shared tree that numbers keep their text in.

#ifndef ELECTRUS_TESTS_JSONC_HPP
#define ELECTRUS_TESTS_JSONC_HPP

#include "check.hpp"

#include <json-c/json.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jsonc {

class value {
public:
    /// Null.
    value() = default;
    /// One more holder of a value that somebody else holds too.
    static value shared(json_object *object) { return value(json_object_get(object)); }
    static value text(const std::string &text) {
        return value(json_object_new_string_len(text.data(), static_cast<int>(text.size())));
    }
    static value parse(std::string_view text) {
        json_tokener *tokener = json_tokener_new_ex(200);
        json_object *object = json_tokener_parse_ex(tokener, text.data(), static_cast<int>(text.size()));
        if (!object && json_tokener_get_error(tokener) == json_tokener_continue)
            object = json_tokener_parse_ex(tokener, " ", 1); // a bare number ends only where something follows
        const json_tokener_error error = json_tokener_get_error(tokener);
        json_tokener_free(tokener);
        if (error != json_tokener_success) check::fail(std::string("not JSON: ") + json_tokener_error_desc(error));
        return value(object);
    }

    value(const value &other) : object_(json_object_get(other.object_)) {}
    value(value &&other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    value &operator=(value other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~value() { json_object_put(object_); }

    bool is(json_type type) const { return json_object_is_type(object_, type); }
    bool is_null() const { return is(json_type_null); }

    std::string str() const {
        if (!is(json_type_string)) return json();
        return {json_object_get_string(object_), static_cast<std::size_t>(json_object_get_string_len(object_))};
    }
    std::string json() const {
        return json_object_to_json_string_ext(object_, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    }
    std::size_t size() const { return json_object_array_length(object_); }
    value operator[](std::size_t index) const { return shared(json_object_array_get_idx(object_, index)); }
    bool has(const std::string &key) const { return json_object_object_get_ex(object_, key.c_str(), nullptr) != 0; }
    value operator[](const std::string &key) const {
        json_object *member = nullptr;
        json_object_object_get_ex(object_, key.c_str(), &member);
        return shared(member);
    }
    std::vector<value> items() const {
        std::vector<value> list;
        for (std::size_t i = 0; is(json_type_array) && i < size(); i++) list.push_back((*this)[i]);
        return list;
    }
    std::vector<std::pair<std::string, value>> members() const {
        std::vector<std::pair<std::string, value>> list;
        if (!is(json_type_object)) return list;
        json_object_object_foreach(object_, key, member) list.emplace_back(key, shared(member));
        return list;
    }
    value at(const std::string &pointer) const {
        json_object *found = nullptr;
        if (json_pointer_get(object_, pointer.c_str(), &found) != 0) check::fail(pointer + " is missing");
        return shared(found);
    }

    /// A list or object with every item, or else the value itself, as `change` makes it.
    template <class Change> value map(Change change) const {
        if (is(json_type_array)) {
            value list(json_object_new_array());
            for (const value &item : items()) json_object_array_add(list.object_, change(item).release());
            return list;
        }
        if (is(json_type_object)) {
            value object(json_object_new_object());
            for (const auto &[key, member] : members())
                json_object_object_add(object.object_, key.c_str(), change(member).release());
            return object;
        }
        return *this;
    }

private:
    explicit value(json_object *object) : object_(object) {}
    json_object *release() { return std::exchange(object_, nullptr); }
    json_object *object_ = nullptr;
};

} // namespace jsonc

#endif
