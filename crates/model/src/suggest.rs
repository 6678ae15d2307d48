//! The word that was probably meant.

/// Words longer than this are no misspelling of anything.
const LONGEST: usize = 64;

/// The candidate nearest to `word`, if one is so near that it was probably meant: at most one
/// slip in each three letters begun, where a slip is a letter too many, missing, wrong, or two swapped.
/// Of equally near ones the first.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(LONGEST + 1).flat_map(char::to_lowercase).collect();
    if word.len() > LONGEST {
        return None;
    }
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let letters: Vec<char> = candidate.chars().flat_map(char::to_lowercase).collect();
            let slips = distance(&word, &letters);
            (slips <= word.len().max(letters.len()).div_ceil(3) && slips < letters.len())
                .then_some((slips, candidate))
        })
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

/// How many slips lie between two words (Damerau and Levenshtein's distance, where no letter is
/// touched twice).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i];
        for j in 1..=b.len() {
            let mut least =
                (row[j] + 1).min(next[j - 1] + 1).min(row[j - 1] + usize::from(a[i - 1] != b[j - 1]));
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, slips) in
            [("", "", 0), ("a", "", 1), ("netwrok", "network", 1), ("kitten", "sitting", 3), ("ca", "abc", 3)]
        {
            let letters = |s: &str| s.chars().collect::<Vec<_>>();
            assert_eq!(distance(&letters(a), &letters(b)), slips, "{a} {b}");
            assert_eq!(distance(&letters(b), &letters(a)), slips, "{b} {a}");
        }
    }

    #[test]
    fn nearest_words() {
        let words = ["network.mode", "root.from", "root.files", "boot.user", "id"];
        for (word, meant) in [
            ("netwrok.mode", Some("network.mode")),
            ("Root.From", Some("root.from")),
            ("root.form", Some("root.from")),
            ("boot.users", Some("boot.user")),
            ("ide", Some("id")),
            ("x", None),
            ("", None),
            ("memory", None),
            ("entirely.different", None),
        ] {
            assert_eq!(nearest(word, words), meant, "{word}");
        }
        assert_eq!(nearest(&"network.mode".repeat(100_000), words), None);
        assert_eq!(nearest("db3", ["db1", "db2"]), Some("db1"));
    }

    proptest::proptest! {
        #[test]
        fn a_word_is_nearest_to_itself(
            word in "[a-z]{1,20}",
            others in proptest::collection::vec("[a-z]{1,9}", 0..5),
        ) {
            let all: Vec<&str> = others.iter().map(String::as_str).chain([word.as_str()]).collect();
            proptest::prop_assert_eq!(nearest(&word, all), Some(word.as_str()));
        }
    }
}
