//! Whether two documents mean the same, as RFC 6902 has it: numbers by value, objects in any order.

use serde_json::Value;

pub(super) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => numbers_equal(left.as_str(), right.as_str()),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| equal(l, r))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len() && left.iter().all(|(key, l)| right.get(key).is_some_and(|r| equal(l, r)))
        }
        (left, right) => left == right,
    }
}

fn numbers_equal(left: &str, right: &str) -> bool {
    match (Decimal::parse(left), Decimal::parse(right)) {
        (Some(left), Some(right)) => left == right,
        // An exponent of 38 digits: equal only to itself.
        _ => left == right,
    }
}

/// `digits` × 10^`exponent`, in the one form that has no zeros at either end. Zero has no digits and no sign.
#[derive(PartialEq)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i128,
}

impl Decimal {
    fn parse(text: &str) -> Option<Decimal> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let significant = all.trim_end_matches('0');
        let digits = significant.trim_start_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Decimal { negative: false, digits, exponent: 0 });
        }
        let shift = (all.len() - significant.len()) as i128 - fraction.len() as i128;
        let exponent = exponent.parse::<i128>().ok()?.checked_add(shift)?;
        Some(Decimal { negative, digits, exponent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    fn same(left: &str, right: &str) -> bool {
        equal(&parse(left.as_bytes()).unwrap(), &parse(right.as_bytes()).unwrap())
    }

    #[test]
    fn numbers_compare_by_value_however_they_are_written() {
        let ten = ["10", "10.0", "1e1", "1E+1", "100e-1", "0.1e2", "10.000e0", "1e0001"];
        for (left, right) in ten.iter().flat_map(|l| ten.iter().map(move |r| (l, r))) {
            assert!(same(left, right), "{left} {right}");
        }
        assert!(same("0", "-0.000e99999999999999999999999999999999999999999999"));
        assert!(same("1e99999999999999999999", "10e99999999999999999998"));
        for (left, right) in [
            ("1", "-1"),
            ("1", "10"),
            ("0.1", "0.10000000000000000555"),
            ("9007199254740993", "9007199254740992"),
            ("1", "true"),
            ("1", "\"1\""),
            ("0", "null"),
        ] {
            assert!(!same(left, right), "{left} {right}");
        }
    }

    #[test]
    fn objects_compare_in_any_order_and_arrays_in_theirs() {
        assert!(same(r#"{"a":[1,{"x":null}],"b":2}"#, r#"{"b":2.0,"a":[1e0,{"x":null}]}"#));
        assert!(!same("[1,2]", "[2,1]"));
        assert!(!same("[1,2]", "[1]"));
        assert!(!same(r#"{"a":1}"#, r#"{"a":1,"b":2}"#));
        assert!(!same(r#"{"a":null}"#, r#"{"b":null}"#));
    }
}
