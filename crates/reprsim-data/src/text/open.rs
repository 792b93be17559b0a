//! Opens corpora as a data set of chunks or windows.

use std::ops::Range;
use std::path::Path;

use super::corpus::{Corpus, corpora};
use super::samples::TextSamples;
use super::settings::{FACTOR, TextSettings};
use super::token_file::{TokenStream, stream};
use crate::spec::label_of;
use crate::{DataError, Dataset, DatasetSpec, Factor, Part, SampleShape, Samples, Skipped};

/// A corpus and its tokens.
type Tokenised = (Corpus, TokenStream);

/// Opens one part of the corpora of a data set.
pub(crate) fn open(spec: &DatasetSpec, part: Part, cache: &Path) -> Result<Dataset, DataError> {
    let settings = spec.text()?;
    let (window, chunks, tokenizer) = (settings.window, settings.chunks, settings.tokenizer);
    let mut tokenised: Vec<Tokenised> = Vec::new();
    let (mut contents, mut skipped) = (Vec::new(), Vec::new());
    for corpus in corpora(settings)? {
        let content = corpus.content(cache)?;
        let stream = stream(&corpus, &content, tokenizer, cache)?;
        contents.push(format!("{} {}", corpus.name, &content[..16]));
        skipped.extend(left_out(&corpus, &stream)?);
        tokenised.push((corpus, stream));
    }
    check(&tokenised, settings, part)?;

    let mut places: Vec<(usize, Range<usize>)> = Vec::new();
    let mut values: Vec<u16> = Vec::new();
    let mut blocks: Vec<u32> = Vec::new();
    let mut documents_before = 0;
    for (number, (_, stream)) in tokenised.iter().enumerate() {
        if part == Part::Train {
            places.extend(chunks_of(stream, chunks).map(|chunk| (number, chunk)));
        } else {
            for (document, range) in stream.documents(part).enumerate() {
                for window in windows(range, window) {
                    places.push((number, window));
                    blocks.push((documents_before + document) as u32);
                }
            }
            documents_before += stream.documents(part).len();
        }
        values.resize(places.len(), number as u16);
    }

    // Held-out windows are the same whatever the chunks are.
    let cut = match part {
        Part::Train => format!(" chunks {chunks}"),
        Part::Validation | Part::Test => String::new(),
    };
    let dataset = Dataset {
        name: spec.name.clone(),
        identity: format!(
            "{} {tokenizer} window {window}{cut}: {}",
            spec.name,
            contents.join(", ")
        ),
        part,
        shape: SampleShape::Tokens {
            window,
            vocabulary: tokenizer.vocabulary(),
        },
        factors: vec![Factor {
            name: FACTOR.into(),
            classes: tokenised.iter().map(|(c, _)| c.name.clone()).collect(),
            values,
        }],
        samples: Samples::text(TextSamples::new(
            tokenised.into_iter().map(|(_, s)| s.tokens).collect(),
            places,
        )),
        label: label_of(spec)?,
        blocks,
        skipped,
    };
    for name in &dataset.label {
        dataset.factor(name)?;
    }
    Ok(dataset)
}

/// The files of a corpus that are not read, and what was taken out of those that are.
pub(super) fn left_out(corpus: &Corpus, stream: &TokenStream) -> Result<Vec<Skipped>, DataError> {
    let said = |path: &Path, reason: String| Skipped {
        path: Path::new(&corpus.name).join(path),
        reason,
    };
    let left_out = corpus.listing()?.skipped.into_iter();
    let left_out = left_out.map(|file| said(&file.path, format!("left out: {}", file.reason)));
    let taken = stream.taken.iter();
    Ok(left_out
        .chain(taken.map(|file| said(&file.path, file.reason.clone())))
        .collect())
}

/// The chunks of the training part: equally many tokens each, what is left over is
/// unused.
fn chunks_of(stream: &TokenStream, chunks: usize) -> impl Iterator<Item = Range<usize>> {
    let length = stream.training_tokens() / chunks;
    (0..chunks).map(move |i| i * length..(i + 1) * length)
}

/// Inputs and their shifted targets inside one document, side by side.
fn windows(document: Range<usize>, window: usize) -> impl Iterator<Item = Range<usize>> {
    let length = window + 1;
    let count = document.len() / length;
    (0..count).map(move |i| {
        let start = document.start + i * length;
        start..start + length
    })
}

/// Refuses corpora that are too short for a part. Who trains needs the held-out parts
/// too, so they are checked with the training part.
fn check(tokenised: &[Tokenised], settings: &TextSettings, part: Part) -> Result<(), DataError> {
    let window = settings.window;
    let length = window + 1;
    let parts = match part {
        Part::Train => &[Part::Train, Part::Validation, Part::Test][..],
        Part::Validation => &[Part::Validation],
        Part::Test => &[Part::Test],
    };
    for (corpus, stream) in tokenised {
        for &part in parts {
            if part == Part::Train {
                let tokens = stream.training_tokens();
                let chunks = settings.chunks;
                if tokens / chunks < length {
                    return Err(corpus.error(format!(
                        "its training part has {tokens} tokens, too few for {chunks} chunks of at \
                         least {length} (a window of {window} and one more, the last target); \
                         lower chunks or window, or give more text"
                    )));
                }
            } else if stream.documents(part).all(|d| d.len() < length) {
                return Err(corpus.error(format!(
                    "no document of its {} part has the {length} tokens of a window of {window} \
                     and its last target (a document is 4 KiB of text at most, longer ones are cut); \
                     lower window",
                    part.name()
                )));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use proptest::prelude::*;

    use super::super::Tokenizer;
    use super::*;
    use crate::catalog::{FATHER_BROWN, TEXT};
    use crate::preview::{Section, grid, preview_text};
    use crate::{
        ProbeClasses, content_of_text, dataset_names, draw_probe, factors_of, is_of_image_files,
        label_of, open, part_len,
    };
    use reprsim_base::Stream;

    const PARTS: [Part; 3] = [Part::Train, Part::Validation, Part::Test];

    fn spec(corpora: &[&str], change: impl FnOnce(&mut TextSettings)) -> DatasetSpec {
        let mut settings = TextSettings {
            corpora: corpora.iter().map(ToString::to_string).collect(),
            tokenizer: Tokenizer::Bytes,
            window: 32,
            chunks: 4,
            ..TextSettings::default()
        };
        change(&mut settings);
        DatasetSpec {
            name: TEXT.into(),
            text: Some(settings),
            ..DatasetSpec::default()
        }
    }

    /// A folder whose files are documents of these texts; its path.
    fn folder(dir: &Path, name: &str, documents: &[String]) -> String {
        let dir = dir.join(name);
        fs::create_dir_all(&dir).unwrap();
        for (i, document) in documents.iter().enumerate() {
            fs::write(dir.join(format!("{i:04}.txt")), document).unwrap();
        }
        dir.display().to_string()
    }

    /// Documents that can be told apart by their letters.
    fn documents(sizes: &[usize]) -> Vec<String> {
        let name = |i: usize| format!("<{i}>");
        sizes
            .iter()
            .enumerate()
            .map(|(i, &size)| name(i).repeat(1 + size / name(i).len()))
            .collect()
    }

    fn error(spec: &DatasetSpec, part: Part) -> String {
        let cache = tempfile::tempdir().unwrap();
        let error = open(spec, part, cache.path()).unwrap_err();
        error.to_string()
    }

    #[test]
    fn the_built_in_text_needs_no_files() {
        let cache = tempfile::tempdir().unwrap();
        let spec = spec(&[FATHER_BROWN], |s| {
            (s.tokenizer, s.window, s.chunks) = (Tokenizer::Gpt2, 128, 80);
        });
        let train = open(&spec, Part::Train, cache.path()).unwrap();
        assert_eq!(train.len(), 80);
        assert_eq!(part_len(&spec, Part::Train).unwrap(), Some(80));
        assert_eq!(part_len(&spec, Part::Test).unwrap(), None);
        let shape = SampleShape::Tokens {
            window: 128,
            vocabulary: 50_257,
        };
        assert_eq!((train.shape, train.shape.values()), (shape, 128));
        assert!(train.blocks.is_empty(), "chunks are exchangeable");
        let test = open(&spec, Part::Test, cache.path()).unwrap();
        assert!(test.len() > 40, "{}", test.len());
        assert_eq!(test.blocks.len(), test.len());
        assert!((0..test.len()).all(|i| test.tokens(i).len() == 129));
        let text = &preview_text(&test, &[0], Tokenizer::Gpt2)[0];
        assert!(text.split_whitespace().count() > 60, "{text}");
        assert!(preview_text(&train, &[7], Tokenizer::Gpt2)[0].len() > 300);
        assert!(!is_of_image_files(&spec));
    }

    #[test]
    fn text_is_a_data_set_like_the_others() {
        assert!(dataset_names().contains(&TEXT));
        assert!(
            !dataset_names().contains(&"gutenberg"),
            "a corpus, not a data set"
        );
        let dir = tempfile::tempdir().unwrap();
        let other = folder(dir.path(), "other", &documents(&[900; 40]));
        let spec = spec(&[&other, FATHER_BROWN], |_| {});
        assert_eq!(factors_of(&spec).unwrap(), [("corpus".to_string(), 2)]);
        assert_eq!(label_of(&spec).unwrap(), ["corpus"]);
        assert_eq!(content_of_text(spec.text().unwrap()).unwrap().len(), 16);
        let test = open(&spec, Part::Test, dir.path()).unwrap();
        assert_eq!(test.factors[0].classes, ["other", FATHER_BROWN]);
        let (labels, classes) = test.joint_label(&test.label).unwrap();
        assert_eq!(classes, 2);
        assert!(labels.is_sorted() && labels.contains(&0) && labels.contains(&1));
        let section = Section {
            title: String::new(),
            dataset: &test,
            indices: vec![0],
        };
        assert!(grid(&[section], 1).unwrap_err().is_usage());
        assert_eq!(test.channel_statistics(), (vec![], vec![]));
        let image = SampleShape::Image {
            channels: 1,
            height: 2,
            width: 2,
        };
        assert!(
            test.reshaped(image)
                .unwrap_err()
                .to_string()
                .contains("text and images")
        );
        assert_eq!(test.reshaped(test.shape).unwrap(), test);
    }

    #[test]
    fn ids_tell_text_tokenizer_and_cut_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = folder(dir.path(), "a", &documents(&[900; 40]));
        let id = |change: &dyn Fn(&mut TextSettings), part| {
            let spec = spec(&[&path], change);
            open(&spec, part, dir.path()).unwrap().sample_id(0)
        };
        let plain = id(&|_| {}, Part::Test);
        assert!(plain.starts_with("text bytes window 32: a "), "{plain}");
        assert!(plain.ends_with("/test/0"), "{plain}");
        assert_ne!(id(&|s| s.window = 31, Part::Test), plain);
        assert_ne!(id(&|s| s.tokenizer = Tokenizer::Gpt2, Part::Test), plain);
        assert_eq!(id(&|s| s.chunks = 5, Part::Test), plain);
        assert_ne!(id(&|s| s.chunks = 5, Part::Train), id(&|_| {}, Part::Train));
        fs::write(dir.path().join("a/0000.txt"), "other").unwrap();
        assert_ne!(id(&|_| {}, Part::Test), plain);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// The whole way from files to samples: sizes, and that nothing leaks.
        #[test]
        fn parts_share_no_text(
            sizes in prop::collection::vec(1usize..1200, 12..60),
            more in prop::collection::vec(100usize..400, 12..40),
            window in 1usize..24,
            chunks in 2usize..9,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let a = folder(dir.path(), "a", &documents(&sizes));
            let b = folder(dir.path(), "b", &documents(&more));
            let spec = spec(&[&a, &b], |s| (s.window, s.chunks) = (window, chunks));
            let Ok(train) = open(&spec, Part::Train, dir.path()) else {
                // Short documents may leave a part without a window: refused.
                return Ok(());
            };
            prop_assert_eq!(train.len(), 2 * chunks);
            let held_out = [Part::Validation, Part::Test].map(|p| open(&spec, p, dir.path()).unwrap());
            let mut seen: BTreeSet<*const u16> = BTreeSet::new();
            for (number, corpus) in corpora(spec.text().unwrap()).unwrap().iter().enumerate() {
                let content = corpus.content(dir.path()).unwrap();
                let stream = stream(corpus, &content, Tokenizer::Bytes, dir.path()).unwrap();
                let all: usize = PARTS.iter().map(|&p| stream.documents(p).len()).sum();
                prop_assert_eq!(all, [sizes.len(), more.len()][number]);
                // The documents of the parts are all documents, once each.
                let mut texts: Vec<String> = PARTS
                    .iter()
                    .flat_map(|&p| stream.documents(p))
                    .map(|d| Tokenizer::Bytes.decode(&stream.tokens[d.start..d.end - 1]))
                    .collect();
                texts.sort_unstable();
                let mut expected = documents([&sizes, &more][number]);
                expected.sort_unstable();
                prop_assert_eq!(texts, expected);
                let end = Tokenizer::Bytes.end_of_text();
                let ended = |d: Range<usize>| {
                    let (last, rest) = stream.tokens[d].split_last().unwrap();
                    *last == end && !rest.contains(&end)
                };
                prop_assert!(PARTS.iter().flat_map(|&p| stream.documents(p)).all(ended));

                // Chunks lie side by side inside the training part and are equally long.
                let length = stream.training_tokens() / chunks;
                prop_assert!(length > window);
                for i in 0..chunks {
                    let chunk = train.tokens(number * chunks + i);
                    prop_assert_eq!(chunk, &stream.tokens[i * length..(i + 1) * length]);
                    prop_assert_eq!(usize::from(train.factors[0].values[number * chunks + i]), number);
                }
            }
            for set in [&train, &held_out[0], &held_out[1]] {
                // Every third sample, backwards.
                let indices: Vec<u32> = (0..set.len() as u32).rev().step_by(3).collect();
                let selected = set.select(&indices);
                prop_assert_eq!(selected.len(), indices.len());
                prop_assert!(selected.is_text() && selected.bytes(0).is_empty());
                prop_assert_eq!(selected.blocks.is_empty(), set.blocks.is_empty());
                for (i, &index) in indices.iter().enumerate() {
                    let index = index as usize;
                    prop_assert_eq!(selected.tokens(i), set.tokens(index));
                    prop_assert_eq!(selected.sample_id(i), set.sample_id(index));
                    prop_assert_eq!(selected.blocks.get(i), set.blocks.get(index));
                    prop_assert_eq!(selected.factors[0].values[i], set.factors[0].values[index]);
                }
            }
            for set in &held_out {
                prop_assert!(!set.is_empty());
                prop_assert!(set.blocks.is_sorted());
                for i in 0..set.len() {
                    let tokens = set.tokens(i);
                    prop_assert_eq!(tokens.len(), window + 1);
                    // Inside one document: an end of text only at the end.
                    prop_assert!(!tokens[..window].contains(&256));
                    if i > 0 && set.blocks[i] == set.blocks[i - 1] {
                        prop_assert_eq!(tokens.as_ptr(), set.tokens(i - 1).as_ptr_range().end);
                    } else if i > 0 {
                        prop_assert!(set.blocks[i] > set.blocks[i - 1]);
                    }
                    // Each open has a map of its own, so only within a set.
                    prop_assert!(seen.insert(tokens.as_ptr()));
                }
            }
            // Blocks are not shared by corpora.
            for set in &held_out {
                let of = |corpus: u16| -> BTreeSet<u32> {
                    (set.blocks.iter().zip(&set.factors[0].values))
                        .filter(|(_, v)| **v == corpus)
                        .map(|(b, _)| *b)
                        .collect()
                };
                prop_assert!(of(0).is_disjoint(&of(1)));
            }
        }

        #[test]
        fn windows_lie_side_by_side_in_a_document(
            start in 0usize..1000, length in 0usize..500, window in 1usize..40,
        ) {
            let found: Vec<Range<usize>> = windows(start..start + length, window).collect();
            prop_assert_eq!(found.len(), length / (window + 1));
            for (i, range) in found.iter().enumerate() {
                prop_assert_eq!(range.len(), window + 1);
                prop_assert_eq!(range.start, start + i * (window + 1));
                prop_assert!(range.end <= start + length);
            }
        }
    }

    #[test]
    fn one_long_file_is_divided_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("book.txt");
        let paragraphs: String = (0..3000)
            .map(|i| format!("Paragraph {i} of it.\n\n"))
            .collect();
        fs::write(&path, &paragraphs).unwrap();
        let spec = spec(&[path.to_str().unwrap()], |_| {});
        let texts = PARTS.map(|part| {
            let set = open(&spec, part, dir.path()).unwrap();
            (0..set.len())
                .map(|i| Tokenizer::Bytes.decode(set.tokens(i)))
                .collect::<String>()
        });
        let shares = texts
            .each_ref()
            .map(|t| t.len() as f64 / paragraphs.len() as f64);
        assert!(
            shares[0] > 0.65 && shares[1] > 0.04 && shares[2] > 0.09,
            "{shares:?}"
        );
        let whole = |text: &str| -> BTreeSet<String> {
            text.lines()
                .filter(|l| l.starts_with("Paragraph ") && l.ends_with(" of it."))
                .map(String::from)
                .collect()
        };
        let [train, validation, test] = texts.each_ref().map(|t| whole(t));
        assert!(train.is_disjoint(&test) && train.is_disjoint(&validation));
        assert!(validation.is_disjoint(&test) && test.len() > 100);
    }

    #[test]
    fn senseless_settings_are_refused() {
        let refused = |change: &dyn Fn(&mut DatasetSpec)| {
            let mut spec = spec(&[FATHER_BROWN], |_| {});
            change(&mut spec);
            let by_len = part_len(&spec, Part::Train).unwrap_err();
            assert!(by_len.is_usage());
            assert_eq!(by_len.to_string(), error(&spec, Part::Train));
            by_len.to_string()
        };
        let text = |change: &dyn Fn(&mut TextSettings)| {
            refused(&|spec| change(spec.text.as_mut().unwrap()))
        };
        assert!(text(&|s| s.corpora.clear()).contains("no corpora"));
        assert!(text(&|s| s.window = 0).contains("window = 0"));
        assert!(text(&|s| s.chunks = 1).contains("chunks = 1"));
        let unknown = text(&|s| s.corpora = vec!["gutenburg".into()]);
        assert!(unknown.contains("did you mean 'gutenberg'?"), "{unknown}");
        assert!(text(&|s| s.corpora.push(FATHER_BROWN.into())).contains("two corpora"));
        assert!(refused(&|s| s.text = None).contains("no corpora"));
        assert!(refused(&|s| s.size = Some(8)).contains("for images"));
        assert!(refused(&|s| s.path = Some("x".into())).contains("only 'folder'"));
        let images = DatasetSpec {
            name: "mnist".into(),
            ..DatasetSpec::default()
        };
        let validation = error(&images, Part::Validation);
        assert!(validation.contains("no validation part"), "{validation}");
        assert!(part_len(&images, Part::Validation).unwrap_err().is_usage());
    }

    #[test]
    fn too_little_text_is_refused_before_training() {
        let dir = tempfile::tempdir().unwrap();
        let of = |name: &str, documents: &[String], change: &dyn Fn(&mut TextSettings)| {
            let path = folder(dir.path(), name, documents);
            let found = error(&spec(&[&path], change), Part::Train);
            assert!(found.starts_with(&format!("corpus '{name}': ")), "{found}");
            found
        };
        assert!(of("empty", &[], &|_| {}).contains("holds no text"));
        assert!(of("blank", &[" \n".into(), "\t".into()], &|_| {}).contains("holds no text"));
        let few = of("few", &documents(&[100, 100]), &|_| {});
        assert!(
            few.contains("2 different documents") && few.contains("takes three"),
            "{few}"
        );
        let short = of("short", &documents(&[400; 20]), &|s| s.chunks = 1000);
        assert!(
            short.contains("too few for 1000 chunks of at least 33"),
            "{short}"
        );
        assert!(short.contains("lower chunks or window"), "{short}");
        let none = of("none", &documents(&[20; 400]), &|_| {});
        assert!(
            none.contains("no document of its validation part"),
            "{none}"
        );
        assert!(none.contains("33 tokens"), "{none}");
        // Probes of other text ask for the test part alone.
        let path = folder(dir.path(), "probe", &documents(&[400; 20]));
        let spec = spec(&[&path], |s| s.chunks = 1000);
        assert!(open(&spec, Part::Test, dir.path()).is_ok());
    }

    #[test]
    fn text_that_cannot_be_read_is_refused_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = folder(dir.path(), "latin", &documents(&[900; 20]));
        fs::write(dir.path().join("latin/0007.txt"), b"caf\xe9").unwrap();
        let found = error(&spec(&[&path], |_| {}), Part::Test);
        assert!(
            found.contains("0007.txt: not UTF-8") && found.contains("byte 3"),
            "{found}"
        );
        let path = dir.path().join("x.jsonl");
        fs::write(&path, "{\"text\": \"x\"}\n{}\n").unwrap();
        let found = error(&spec(&[path.to_str().unwrap()], |_| {}), Part::Test);
        assert!(
            found.contains("x.jsonl") && found.contains("(line 2)"),
            "{found}"
        );
        let card = error(&spec(&["tinystories"], |_| {}), Part::Train);
        assert!(
            card.contains("run: reprsim data fetch tinystories"),
            "{card}"
        );
        let card = error(&spec(&["tiny-codes"], |_| {}), Part::Train);
        assert!(
            card.contains("run: reprsim data fetch tiny-codes"),
            "{card}"
        );
    }

    #[test]
    fn what_is_left_out_of_a_folder_is_listed_with_its_corpus() {
        let (dir, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = folder(dir.path(), "notes", &documents(&[900; 30]));
        fs::write(dir.path().join("notes/paper"), b"%PDF-1.4").unwrap();
        let spec = spec(&[&path, FATHER_BROWN], |_| {});
        for part in PARTS {
            let [skipped] = &open(&spec, part, cache.path()).unwrap().skipped[..] else {
                panic!("one file is left out");
            };
            assert_eq!(skipped.path, Path::new("notes/paper"));
            assert!(skipped.reason.contains("a PDF"), "{}", skipped.reason);
        }
        // Nothing else there: the reason is what the user needs to hear.
        let alone = folder(dir.path(), "alone", &[]);
        fs::write(dir.path().join("alone/t.csv"), b"a,b").unwrap();
        let said = error(&self::spec(&[&alone], |_| {}), Part::Train);
        assert!(
            said.contains("holds no text; left out is t.csv: a table"),
            "{said}"
        );
    }

    /// Tokens are kept for the text as it was read, not for the bytes alone.
    #[test]
    fn a_renamed_file_is_not_read_from_the_tokens_of_another_reading() {
        let (dir, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (prose, lines) = (dir.path().join("a.txt"), dir.path().join("a.jsonl"));
        let text: String = (0..300)
            .map(|i| format!("Not all of it is JSON.\n\n{{\"text\": \"paragraph {i} of it\"}}\n\n"))
            .collect();
        fs::write(&prose, text).unwrap();
        let read = |path: &Path| {
            let spec = spec(&[path.to_str().unwrap()], |s| s.window = 8);
            open(&spec, Part::Test, cache.path())
        };
        read(&prose).unwrap();
        fs::rename(&prose, &lines).unwrap();
        let said = read(&lines).unwrap_err().to_string();
        assert!(
            said.contains("not a JSON object") && said.contains("(line 1)"),
            "{said}"
        );
    }

    /// The one token file in the cache.
    fn token_file(cache: &Path) -> std::path::PathBuf {
        let mut files = fs::read_dir(cache.join(TEXT)).unwrap();
        let file = files.next().unwrap().unwrap().path();
        assert!(files.next().is_none(), "one file for all parts");
        file
    }

    #[test]
    fn text_is_tokenised_once() {
        let (dir, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = folder(dir.path(), "my text", &documents(&[900; 30]));
        let spec = spec(&[&path], |_| {});
        let first = PARTS.map(|part| open(&spec, part, cache.path()).unwrap());
        let file = token_file(cache.path());
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.starts_with("my-text-bytes-"), "{name}");
        // A time at which nothing is written again.
        let written = std::time::UNIX_EPOCH;
        let open_file = fs::File::options().append(true).open(&file).unwrap();
        open_file.set_modified(written).unwrap();
        let again = PARTS.map(|part| open(&spec, part, cache.path()).unwrap());
        assert_eq!(again, first);
        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), written);
        let bytes = fs::read(&file).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(
            tensors.tensor("tokens").unwrap().dtype(),
            safetensors::Dtype::U16
        );
        // Without a cache it is tokenised each time.
        fs::remove_dir_all(cache.path().join(TEXT)).unwrap();
        fs::write(cache.path().join(TEXT), "in the way").unwrap();
        let held = PARTS.map(|part| open(&spec, part, cache.path()).unwrap());
        assert_eq!(held, first);
    }

    #[test]
    fn a_damaged_token_file_is_made_again() {
        let (dir, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = folder(dir.path(), "a", &documents(&[200; 20]));
        let spec = spec(&[&path], |_| {});
        let sound = open(&spec, Part::Test, cache.path()).unwrap();
        let file = token_file(cache.path());
        let bytes = fs::read(&file).unwrap();
        let mut variants = vec![vec![], vec![0; 100], [&bytes[..], &[0]].concat()];
        for at in (0..bytes.len()).step_by(97) {
            variants.push(bytes[..at].to_vec());
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            variants.push(flipped);
        }
        for variant in variants {
            reprsim_base::write_whole(&file, &variant).unwrap();
            assert_eq!(open(&spec, Part::Test, cache.path()).unwrap(), sound);
        }
    }

    #[test]
    fn probes_are_drawn_from_windows_as_from_images() {
        let dir = tempfile::tempdir().unwrap();
        let a = folder(dir.path(), "a", &documents(&[900; 60]));
        let b = folder(dir.path(), "b", &documents(&[500; 60]));
        let test = open(&spec(&[&a, &b], |_| {}), Part::Test, dir.path()).unwrap();
        let draw = |classes: ProbeClasses, samples| {
            draw_probe(&test, &classes, samples, &mut Stream::new(5).rng())
        };
        let all = draw(ProbeClasses::All, Some(40)).unwrap();
        assert_eq!(all, draw(ProbeClasses::All, Some(40)).unwrap());
        assert_eq!(all.indices.iter().collect::<BTreeSet<_>>().len(), 40);
        let equal = draw(ProbeClasses::Equally([0, 1].into()), Some(30)).unwrap();
        let of = |corpus: u16| {
            let of = |i: &&u32| test.factors[0].values[**i as usize] == corpus;
            equal.indices.iter().filter(of).count()
        };
        assert_eq!((of(0), of(1)), (15, 15));
        let only = draw(ProbeClasses::Only([1].into()), None).unwrap();
        assert!(
            only.indices
                .iter()
                .all(|&i| test.factors[0].values[i as usize] == 1)
        );
        let many = draw(ProbeClasses::All, Some(100_000)).unwrap_err();
        assert!(
            many.to_string().contains("the test part of 'text'"),
            "{many}"
        );
    }
}
