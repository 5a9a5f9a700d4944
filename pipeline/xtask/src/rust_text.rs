//! Rust source with comments, texts and tests blanked out, so that rules look at code alone. Positions stay where they were.

/// Source in which comments and the insides of literals are spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RustText {
    /// Code outside tests; as many bytes and lines as the source.
    pub(crate) code: String,
    /// Number of lines outside `#[cfg(test)]` items.
    pub(crate) n_lines: usize,
    /// Modules declared as `#[cfg(test)] mod name;`.
    pub(crate) test_modules: Vec<String>,
}

/// A function's name, first line (from 1) and number of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    /// Name.
    pub(crate) name: String,
    /// First line, from 1.
    pub(crate) line: usize,
    /// Lines from signature to closing brace.
    pub(crate) n_lines: usize,
}

const TEST_ATTRIBUTE: &str = "#[cfg(test)]";

impl RustText {
    /// Blanks out what is not code, then the items that exist in tests only.
    pub(crate) fn of(source: &str) -> Self {
        let mut code = code_only(source).into_bytes();
        let mut n_test_lines = 0;
        let mut test_modules = Vec::new();
        while let Some(start) = find(&code, TEST_ATTRIBUTE) {
            let end = item_end(&code, start + TEST_ATTRIBUTE.len());
            let item = String::from_utf8_lossy(&code[start..end]).into_owned();
            let mut words = item[TEST_ATTRIBUTE.len()..].split_whitespace().skip_while(|word| word.starts_with("pub"));
            if let (Some("mod"), Some(name), None) =
                (words.next(), words.next().and_then(|w| w.strip_suffix(';')), words.next())
            {
                test_modules.push(name.to_owned());
            }
            n_test_lines += item.lines().count();
            blank(&mut code[start..end]);
        }
        // Only ASCII spaces were written over whole literals and items, so the bytes are still UTF-8.
        let code = String::from_utf8_lossy(&code).into_owned();
        Self { n_lines: source.lines().count() - n_test_lines.min(source.lines().count()), code, test_modules }
    }

    /// Lines (from 1) whose code contains `wanted`.
    pub(crate) fn lines_with(&self, wanted: &str) -> Vec<usize> {
        self.code.lines().enumerate().filter(|(_, line)| line.contains(wanted)).map(|(n, _)| n + 1).collect()
    }

    /// Every function with a body.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let bytes = self.code.as_bytes();
        let mut functions = Vec::new();
        for (at, _) in self.code.match_indices("fn ") {
            let name: String = self.code[at + 3..].chars().take_while(|c| is_word(*c)).collect();
            let begins_word = at == 0 || !is_word(char::from(bytes[at - 1]));
            let end = item_end(bytes, at);
            if begins_word && !name.is_empty() && bytes.get(end - 1) == Some(&b'}') {
                let line = self.code[..at].matches('\n').count() + 1;
                functions.push(Function { name, line, n_lines: self.code[at..end].matches('\n').count() + 1 });
            }
        }
        functions
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn find(code: &[u8], wanted: &str) -> Option<usize> {
    code.windows(wanted.len()).position(|window| window == wanted.as_bytes())
}

fn blank(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|byte| **byte != b'\n') {
        *byte = b' ';
    }
}

/// One past the `;` or closing brace that ends the item at `start`. Attributes and parameters may hold either.
fn item_end(code: &[u8], start: usize) -> usize {
    let (mut inner, mut braces) = (0_usize, 0_usize);
    for (at, byte) in code.iter().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => inner += 1,
            b')' | b']' => inner = inner.saturating_sub(1),
            b'{' => braces += 1,
            b'}' => {
                braces = braces.saturating_sub(1);
                if braces == 0 && inner == 0 {
                    return at + 1;
                }
            }
            b';' if braces == 0 && inner == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// Comments and the insides of texts and characters as spaces, byte for byte.
fn code_only(source: &str) -> String {
    let mut code = source.as_bytes().to_vec();
    let mut at = 0;
    while at < source.len() {
        let rest = &source[at..];
        let end = at + literal_length(source, at);
        if end > at {
            blank(&mut code[at..end]);
            at = end;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    String::from_utf8_lossy(&code).into_owned()
}

/// Bytes of the comment or literal that begins at `at`; 0 where none does.
fn literal_length(source: &str, at: usize) -> usize {
    let rest = &source[at..];
    let after_word = source[..at].chars().next_back().is_some_and(is_word);
    if rest.starts_with("//") {
        rest.find('\n').unwrap_or(rest.len())
    } else if rest.starts_with("/*") {
        block_comment(rest)
    } else if rest.starts_with('"') {
        quoted(rest, 1, '"')
    } else if rest.starts_with('r') && !after_word {
        raw_text(rest)
    } else if rest.starts_with('\'') {
        character(rest)
    } else {
        0
    }
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match &rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// Length up to and with the closing quote, `from` bytes in; a backslash hides the next character.
fn quoted(rest: &str, from: usize, quote: char) -> usize {
    let mut characters = rest[from..].char_indices();
    while let Some((at, c)) = characters.next() {
        if c == '\\' {
            characters.next();
        } else if c == quote {
            return from + at + 1;
        }
    }
    rest.len()
}

/// `r"…"`, `r#"…"#`, …; a raw identifier such as `r#type` is no text.
fn raw_text(rest: &str) -> usize {
    let n_hashes = rest[1..].bytes().take_while(|byte| *byte == b'#').count();
    let open = 1 + n_hashes;
    if !rest[open..].starts_with('"') {
        return 0;
    }
    let closing = format!("\"{}", "#".repeat(n_hashes));
    rest[open + 1..].find(&closing).map_or(rest.len(), |at| open + 1 + at + closing.len())
}

/// `'x'` and `'\n'`; a lifetime has no closing quote after one character.
fn character(rest: &str) -> usize {
    let mut characters = rest[1..].char_indices();
    match (characters.next(), characters.next()) {
        (Some((_, '\\')), _) => quoted(rest, 1, '\''),
        (Some(_), Some((at, '\''))) => at + 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_comments_and_characters_are_no_code() {
        let source = "let a = \"x.unwrap() \\\" {\"; // .unwrap()\nlet b = '{'; let c: &'static str = r#\"\"{\"#; /* { /* */ } */ d.unwrap()";
        let text = RustText::of(source);
        assert_eq!(text.lines_with(".unwrap()"), [2]);
        assert_eq!(text.code.len(), source.len());
        assert!(!text.code.contains('{'), "{}", text.code);
        assert!(text.code.contains("&'static str"));
    }

    #[test]
    fn tests_do_not_count() {
        let source = "fn a() {\n    1\n}\n#[cfg(test)]\n#[expect(x, reason = \"y\")]\nmod tests {\n    fn b() { c.unwrap() }\n}\n";
        let text = RustText::of(source);
        assert_eq!(text.n_lines, 3);
        assert!(text.lines_with(".unwrap()").is_empty());
        let functions: Vec<_> = text.functions().into_iter().map(|f| (f.name, f.line, f.n_lines)).collect();
        assert_eq!(functions, [("a".to_owned(), 1, 3)]);
    }

    #[test]
    fn modules_of_tests_in_their_own_file_are_named() {
        assert_eq!(RustText::of("#[cfg(test)]\nmod checks;\nmod other;\n").test_modules, ["checks"]);
        assert_eq!(RustText::of("#[cfg(test)]\npub(super) mod checks;\n").test_modules, ["checks"]);
    }

    #[test]
    fn a_signature_may_hold_semicolons_and_function_types() {
        let source =
            "pub fn a(x: [u8; 3], f: fn(u8) -> u8) -> u8\nwhere\n    T: Fn(),\n{\n    f(x[0])\n}\nfn declared();\n";
        let functions = RustText::of(source).functions();
        assert_eq!(functions, [Function { name: "a".to_owned(), line: 1, n_lines: 6 }]);
    }
}
