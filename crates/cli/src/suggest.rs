//! The nearest of the words that could have been meant.

/// The candidate that `word` most likely was meant to be, if any is near enough to say so.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = 1 + word.chars().count() / 4;
    let of = |candidate: &'a str| {
        // Half a word is a better guess than any misspelling.
        let is_begun = word.len() >= 2 && candidate.starts_with(word);
        (if is_begun { 0 } else { distance(word, candidate) }, candidate)
    };
    candidates.map(of).filter(|(distance, _)| *distance <= limit).min().map(|(_, candidate)| candidate)
}

/// How many letters must be inserted, removed, replaced or swapped with their neighbour to
/// make `a` of `b` (the restricted Damerau-Levenshtein distance).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, steps) in [
            ("", "", 0),
            ("", "abc", 3),
            ("start", "start", 0),
            ("strat", "start", 1),
            ("satrt", "start", 1),
            ("stat", "start", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), steps, "{a} {b}");
            assert_eq!(distance(b, a), steps, "{b} {a}");
        }
    }

    #[test]
    fn suggestions() {
        let verbs = ["run", "create", "start", "stop", "restart", "status", "config"];
        for (word, meant) in [("strat", "start"), ("creat", "create"), ("conf", "config"), ("runn", "run")] {
            assert_eq!(nearest(word, verbs.into_iter()), Some(meant), "{word}");
        }
        for word in ["", "x", "frobnicate", "\u{1f980}"] {
            assert_eq!(nearest(word, verbs.into_iter()), None, "{word}");
        }
    }
}
