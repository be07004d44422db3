//! Sizes and times as people write and read them.

/// `90`, `90s`, `30m`, `12h`, `7d`, `4w`: seconds.
pub fn duration(text: &str) -> Result<f64, String> {
    let wrong = || "a time is a number and s, m, h, d or w, for example 12h".to_owned();
    let (number, unit) = split(text);
    let factor = match unit {
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        "w" => 604_800.0,
        _ => return Err(wrong()),
    };
    let seconds = number.parse::<f64>().map_err(|_| wrong())? * factor;
    if seconds.is_finite() { Ok(seconds) } else { Err(wrong()) }
}

/// `1000`, `4k`, `500M`, `2G`, `1T` (powers of 1024): bytes.
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || "a size is a whole number and k, M, G or T, for example 500M".to_owned();
    let (number, unit) = split(text);
    let factor: u64 = match unit.trim_end_matches("iB").trim_end_matches('B') {
        "" => 1,
        "k" | "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        _ => return Err(wrong()),
    };
    number.parse::<u64>().ok().and_then(|n| n.checked_mul(factor)).ok_or_else(wrong)
}

fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text.split_at(end)
}

/// `0 B`, `4.0 KiB`, `1.5 GiB`.
pub fn human_size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// RFC 3339 to the second: `2026-01-15 10:30:00Z`.
pub fn human_time(rfc3339: &str) -> String {
    match (rfc3339.get(..10), rfc3339.get(11..19)) {
        (Some(day), Some(time)) if rfc3339.ends_with("+00:00") || rfc3339.ends_with('Z') => format!("{day} {time}Z"),
        _ => rfc3339.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_read() {
        assert_eq!(size("500M"), Ok(500 << 20));
        assert_eq!(size("12"), Ok(12));
        assert_eq!(size("4KiB"), Ok(4096));
        assert_eq!(duration("12h"), Ok(43_200.0));
        assert_eq!(duration("1.5m"), Ok(90.0));
        for wrong in ["", "x", "1y", "-5", "99999999999T", "1.5M"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "d", "3y", "1..2h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_are_written_for_people() {
        assert_eq!(human_size(1023), "1023 B");
        assert_eq!(human_size(1024), "1.0 KiB");
        assert_eq!(human_size((1 << 20) - 1), "1.0 MiB");
        assert_eq!(human_size(u64::MAX), "16.0 EiB");
        assert_eq!(human_time("2026-01-15T10:30:00.123+00:00"), "2026-01-15 10:30:00Z");
    }
}
