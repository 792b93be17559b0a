//! Text to tokens and back.

use std::fmt;

use serde::{Deserialize, Serialize};
use tiktoken_rs::{CoreBPE, p50k_base_singleton, r50k_base_singleton};

use reprsim_base::hint;

use crate::DataError;
use crate::catalog::TEXT;

/// How text becomes tokens: numbers of 16 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Tokenizer {
    /// Every byte is a token.
    Bytes,
    /// The byte-pair encoding of GPT-2, also known as `r50k_base`.
    #[default]
    Gpt2,
    /// The byte-pair encoding of Codex, GPT-2's with runs of spaces.
    P50kBase,
}

/// What stands for the end of a document in text made from tokens.
const END_OF_TEXT: &str = "<|endoftext|>";
/// Encodings that exist, but whose tokens need more than 16 bits: name, size.
const TOO_WIDE: [(&str, usize); 2] = [("cl100k_base", 100_277), ("o200k_base", 200_019)];

impl Tokenizer {
    /// All that fit.
    pub const ALL: [Self; 3] = [Self::Bytes, Self::Gpt2, Self::P50kBase];

    /// The name, as used in experiment files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Gpt2 => "gpt2",
            Self::P50kBase => "p50k_base",
        }
    }

    /// The tokenizer called `name`.
    ///
    /// # Errors
    /// [`DataError::Setting`] for a name that is not known, and for encodings whose
    /// tokens do not fit 16 bits.
    pub fn named(name: &str) -> Result<Self, DataError> {
        if let Some(found) = Self::ALL.into_iter().find(|t| t.name() == name) {
            return Ok(found);
        }
        if name == "r50k_base" {
            return Ok(Self::Gpt2);
        }
        let names = Self::ALL.map(Self::name);
        let reason = match TOO_WIDE.iter().find(|(wide, _)| *wide == name) {
            Some((_, size)) => format!(
                "tokenizer '{name}' has {size} tokens, which do not fit the 16 bits of a token \
                 here; these do: {}",
                names.join(", ")
            ),
            None => format!(
                "unknown tokenizer '{name}'{}; known: {}",
                hint(name, names),
                names.join(", ")
            ),
        };
        Err(DataError::Setting {
            dataset: TEXT.into(),
            reason,
        })
    }

    /// Number of tokens, the end of text included; all tokens are below it.
    pub fn vocabulary(self) -> usize {
        match self {
            Self::Bytes => 257,
            Self::Gpt2 => 50_257,
            Self::P50kBase => 50_281,
        }
    }

    /// The token that ends every document.
    pub fn end_of_text(self) -> u16 {
        match self {
            Self::Bytes => 256,
            Self::Gpt2 | Self::P50kBase => 50_256,
        }
    }

    fn bpe(self) -> Option<&'static CoreBPE> {
        match self {
            Self::Bytes => None,
            Self::Gpt2 => Some(r50k_base_singleton()),
            Self::P50kBase => Some(p50k_base_singleton()),
        }
    }

    /// The tokens of `text`, in which nothing has a special meaning.
    pub fn encode(self, text: &str) -> Vec<u16> {
        match self.bpe() {
            None => text.bytes().map(u16::from).collect(),
            Some(bpe) => bpe
                .encode_ordinary(text)
                .into_iter()
                .map(|token| token as u16) // below the vocabulary, so it fits
                .collect(),
        }
    }

    /// The text of `tokens`, for people to read: what a cut left of a character is
    /// shown as U+FFFD, a token that does not exist not at all.
    pub fn decode(self, tokens: &[u16]) -> String {
        let mut bytes = Vec::with_capacity(tokens.len() * 4);
        for &token in tokens {
            match (self.bpe(), u8::try_from(token)) {
                _ if token == self.end_of_text() => bytes.extend(END_OF_TEXT.bytes()),
                (None, Ok(byte)) => bytes.push(byte),
                (None, Err(_)) => {}
                (Some(bpe), _) => {
                    bytes.extend(bpe.decode_bytes(&[u32::from(token)]).unwrap_or_default());
                }
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl fmt::Display for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl TryFrom<String> for Tokenizer {
    type Error = DataError;

    fn try_from(name: String) -> Result<Self, DataError> {
        Self::named(&name)
    }
}

impl From<Tokenizer> for String {
    fn from(tokenizer: Tokenizer) -> Self {
        tokenizer.name().into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tokens_are_those_of_gpt2() {
        // As tiktoken for Python gives them.
        for (text, tokens) in [
            ("Hello world", vec![15496, 995]),
            ("hello world", vec![31373, 995]),
            (" a  b", vec![257, 220, 275]),
            ("", vec![]),
        ] {
            assert_eq!(Tokenizer::Gpt2.encode(text), tokens, "{text:?}");
        }
        // Nothing in a text has a special meaning.
        assert!(!Tokenizer::Gpt2.encode(END_OF_TEXT).contains(&50_256));
        assert_eq!(
            Tokenizer::Gpt2.decode(&[15496, 50_256]),
            "Hello<|endoftext|>"
        );
    }

    #[test]
    fn every_token_is_in_the_vocabulary() {
        for tokenizer in Tokenizer::ALL {
            let last = tokenizer.vocabulary() - 1;
            assert!(last < 1 << 16 && usize::from(tokenizer.end_of_text()) <= last);
            let last = tokenizer.decode(&[last as u16]);
            assert!(!last.is_empty(), "{tokenizer}: the last token exists");
            assert_eq!(tokenizer.decode(&[tokenizer.vocabulary() as u16]), "");
        }
        let spaces = Tokenizer::P50kBase.encode(&" ".repeat(25));
        assert!(spaces.iter().all(|&t| usize::from(t) < 50_281));
        assert!(spaces.iter().any(|&t| t > 50_256));
    }

    #[test]
    fn names_lead_back() {
        for tokenizer in Tokenizer::ALL {
            assert_eq!(Tokenizer::named(tokenizer.name()).unwrap(), tokenizer);
            let json = serde_json::to_string(&tokenizer).unwrap();
            assert_eq!(serde_json::from_str::<Tokenizer>(&json).unwrap(), tokenizer);
        }
        assert_eq!(Tokenizer::named("r50k_base").unwrap(), Tokenizer::Gpt2);
        let error = Tokenizer::named("o200k_base").unwrap_err().to_string();
        assert!(error.contains("do not fit the 16 bits"), "{error}");
        assert!(error.contains("bytes, gpt2, p50k_base"), "{error}");
        let error = Tokenizer::named("gtp2").unwrap_err();
        assert!(error.is_usage());
        assert!(
            error.to_string().contains("did you mean 'gpt2'?"),
            "{error}"
        );
        let error = serde_json::from_str::<Tokenizer>("\"cl100k_base\"").unwrap_err();
        assert!(error.to_string().contains("100277 tokens"), "{error}");
    }

    proptest! {
        #[test]
        fn text_comes_back(text in any::<String>(), spaces in "[ \n\ta-z]{0,60}") {
            for tokenizer in Tokenizer::ALL {
                for text in [&text, &spaces] {
                    let tokens = tokenizer.encode(text);
                    prop_assert_eq!(&tokenizer.decode(&tokens), text);
                    prop_assert!(!tokens.contains(&tokenizer.end_of_text()));
                }
            }
        }

        #[test]
        fn bytes_are_their_tokens(bytes in any::<Vec<u8>>()) {
            let tokens: Vec<u16> = bytes.iter().map(|&b| b.into()).collect();
            prop_assert_eq!(Tokenizer::Bytes.decode(&tokens), String::from_utf8_lossy(&bytes));
        }
    }
}
