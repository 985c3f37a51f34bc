//! Texts with `*` for any run of characters; `\*` and `\\` stand for themselves.

/// The texts between the stars, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wildcard(Vec<String>);

impl Wildcard {
    /// Reads a wildcard; why not, in a sentence.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = vec![String::new()];
        let mut characters = text.chars().enumerate();
        let mut after_star = false;
        while let Some((at, c)) = characters.next() {
            let literal = match c {
                '*' if after_star => return Err(format!("Consecutive wildcard characters at pos {at}")),
                '*' => None,
                '\\' => match characters.next() {
                    Some((_, escaped @ ('*' | '\\'))) => Some(escaped),
                    _ => return Err(format!("Invalid escape character at pos {at}")),
                },
                other => Some(other),
            };
            after_star = literal.is_none();
            match (literal, pieces.last_mut()) {
                (Some(literal), Some(piece)) => piece.push(literal),
                _ => pieces.push(String::new()),
            }
        }
        Ok(Self(pieces))
    }

    /// Whether the text is one of them. Each piece is looked for once, behind the one before it: the leftmost place
    /// leaves the most room, so there is nothing to go back to.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let [first, between @ .., last] = self.0.as_slice() else { return self.0[0] == text };
        let Some(rest) = text.strip_prefix(first.as_str()) else { return false };
        let Some(mut rest) = rest.strip_suffix(last.as_str()) else { return false };
        for piece in between {
            let Some(at) = rest.find(piece.as_str()) else { return false };
            rest = &rest[at + piece.len()..];
        }
        true
    }
}
