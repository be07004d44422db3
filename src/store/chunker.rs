//! Cutting contents into chunks by what is in them.

use fastcdc::v2020::FastCDC;

/// No chunk but a content's last is smaller.
pub const MIN: usize = 4 << 10;
/// About the average size of a chunk.
pub const AVERAGE: usize = 16 << 10;
/// No chunk is larger.
pub const MAX: usize = 64 << 10;

/// Where to cut. Unless `last`, the rest that might be cut differently once more data follows stays uncut.
pub fn cut(data: &[u8], last: bool) -> Vec<std::ops::Range<usize>> {
    if data.len() <= MIN {
        return (last && !data.is_empty()).then_some(0..data.len()).into_iter().collect();
    }
    let mut ranges = Vec::with_capacity(data.len() / AVERAGE + 1);
    for chunk in FastCDC::new(data, MIN, AVERAGE, MAX) {
        if !last && data.len() - chunk.offset < MAX {
            break;
        }
        ranges.push(chunk.offset..chunk.offset + chunk.length);
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_cut_as_whole_contents_are() {
        let mut state = 1u64;
        let data: Vec<u8> = (0..3_000_000)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 56) as u8
            })
            .collect();
        let whole = cut(&data, true);
        let (mut start, mut pieces) = (0, Vec::new());
        while start < data.len() {
            let end = (start + 500_000).min(data.len());
            let ranges = cut(&data[start..end], end == data.len());
            pieces.extend(ranges.iter().map(|r| r.start + start..r.end + start));
            start += ranges.last().unwrap().end;
        }
        assert_eq!(whole, pieces);
        assert!(data.len() / whole.len() > MIN && data.len() / whole.len() < 2 * AVERAGE);
    }
}
