//! The same concepts drawn by two artists, read from the packages
//! `emoji-datasource-google` and `emoji-datasource-twitter` as they come.
//!
//! Every concept that both drew is a pair of 64x64 images, transparent parts on
//! white; variants in skin tone are left out, and so are groups of few concepts.
//! Source: <https://github.com/iamcal/emoji-data>.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Deserialize;

use super::raw::{check_count, room};
use super::{RawPart, picture, tarball};
use crate::{Card, DataError, Factor, Part};
use reprsim_base::sha256;

const SIDE: usize = 64;
const ARTISTS: [&str; 2] = ["google", "twitter"];
const LIST: &str = "package/emoji.json";
const LARGEST_LIST: u64 = 32 << 20;
const LARGEST_IMAGE: u64 = 1 << 20;
/// A group of fewer concepts is too small to be a class.
const SMALLEST_GROUP: usize = 40;
/// One concept in so many of a subgroup is held out.
const HELD_OUT: usize = 5;

/// What is used of an entry of `emoji.json`.
#[derive(Clone, Debug, Deserialize)]
struct Concept {
    unified: String,
    image: String,
    short_name: String,
    category: String,
    subcategory: String,
    #[serde(default)]
    has_img_google: bool,
    #[serde(default)]
    has_img_twitter: bool,
}

/// Reads a part; `paths` are the packages in the order of the artists.
pub(crate) fn read(card: &Card, part: Part, paths: &[PathBuf]) -> Result<RawPart, DataError> {
    let mut drawings = Vec::new();
    for (artist, path) in ARTISTS.iter().zip(paths) {
        let folder = folder_of(artist);
        let members = tarball::members(path, |name| {
            if name == LIST {
                return Some(LARGEST_LIST);
            }
            name.starts_with(&folder).then_some(LARGEST_IMAGE)
        })?;
        drawings.push((folder, path.clone(), members));
    }
    let [(_, first_path, first), ..] = &mut drawings[..] else {
        return Err(DataError::Setting {
            dataset: card.name.clone(),
            reason: "the card lists no file".into(),
        });
    };
    let first_path = first_path.clone();
    let list = tarball::take(first, &first_path, LIST)?;
    let concepts = concepts(&first_path, &list)?;
    let held_out = held_out(&concepts);
    let factors = Names::of(&concepts);
    let chosen: Vec<(usize, &Concept)> = concepts
        .iter()
        .enumerate()
        .filter(|(_, c)| held_out.contains(c.unified.as_str()) == (part == Part::Test))
        .collect();

    let mut wanted = Vec::new();
    for &(_, concept) in &chosen {
        for (folder, path, members) in &drawings {
            let name = format!("{folder}{}", concept.image);
            let bytes = members.get(&name).ok_or_else(|| {
                DataError::damaged(
                    path.as_path(),
                    0,
                    format!("the archive has no {name}, which {LIST} lists"),
                )
            })?;
            wanted.push((path.as_path(), name, bytes.as_slice()));
        }
    }
    let decoded = wanted
        .par_iter()
        .map(|(path, name, bytes)| {
            picture::square(bytes, SIDE)
                .map_err(|e| DataError::undecodable(*path, 0, &format!("{name}: "), e))
        })
        .collect::<Result<Vec<_>, _>>()?;
    check_count(&first_path, card, part, decoded.len())?;
    let factors = factors.factors(&chosen, drawings.len());
    let mut samples = room(&first_path, decoded.len(), 3 * SIDE * SIDE)?;
    decoded.iter().for_each(|image| samples.extend(image));
    Ok(RawPart::colour(SIDE, samples, factors))
}

fn folder_of(artist: &str) -> String {
    format!("package/img/{artist}/64/")
}

/// The concepts that both artists drew, of groups that are large enough, in the
/// order of the list.
fn concepts(path: &Path, list: &[u8]) -> Result<Vec<Concept>, DataError> {
    let mut concepts: Vec<Concept> = serde_json::from_slice(list).map_err(|e| {
        DataError::undecodable(path, 0, &format!("{LIST} is not as it should be: "), e)
    })?;
    concepts.retain(|c| c.has_img_google && c.has_img_twitter);
    let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
    let mut names = BTreeSet::new();
    for concept in &concepts {
        *sizes.entry(concept.category.clone()).or_default() += 1;
        if !names.insert(&concept.short_name) {
            return Err(DataError::damaged(
                path,
                0,
                format!("{LIST} has '{}' twice", concept.short_name),
            ));
        }
    }
    concepts.retain(|c| sizes.get(&c.category).is_some_and(|n| *n >= SMALLEST_GROUP));
    Ok(concepts)
}

/// Code points of the concepts in the test part: a fifth of every subgroup,
/// rounded down, the same whatever the order of the list.
fn held_out(concepts: &[Concept]) -> BTreeSet<&str> {
    let mut subgroups: BTreeMap<&str, Vec<(String, &str)>> = BTreeMap::new();
    for concept in concepts {
        subgroups
            .entry(&concept.subcategory)
            .or_default()
            .push((sha256(&concept.unified), &concept.unified));
    }
    subgroups
        .into_values()
        .flat_map(|mut members| {
            members.sort_unstable();
            members.truncate(members.len() / HELD_OUT);
            members.into_iter().map(|(_, code)| code)
        })
        .collect()
}

/// Class names of the factors, the same for both parts.
struct Names {
    groups: Vec<String>,
    subgroups: Vec<String>,
    concepts: Vec<String>,
}

impl Names {
    fn of(concepts: &[Concept]) -> Self {
        let sorted = |name: fn(&Concept) -> &String| {
            let names: BTreeSet<&String> = concepts.iter().map(name).collect();
            names.into_iter().cloned().collect()
        };
        Self {
            groups: sorted(|c| &c.category),
            subgroups: sorted(|c| &c.subcategory),
            concepts: concepts.iter().map(|c| c.short_name.clone()).collect(),
        }
    }

    /// One value for each of `artists` drawings of each concept.
    fn factors(self, chosen: &[(usize, &Concept)], artists: usize) -> Vec<Factor> {
        let each = |value: &dyn Fn(usize, &Concept, usize) -> usize| -> Vec<u16> {
            chosen
                .iter()
                .flat_map(|&(index, concept)| {
                    (0..artists).map(move |artist| value(index, concept, artist) as u16)
                })
                .collect()
        };
        let place = |names: &[String], name: &String| names.binary_search(name).unwrap_or(0);
        let values = [
            each(&|_, c, _| place(&self.groups, &c.category)),
            each(&|_, c, _| place(&self.subgroups, &c.subcategory)),
            each(&|_, _, artist| artist),
            each(&|index, _, _| index),
        ];
        let classes = [
            self.groups,
            self.subgroups,
            ARTISTS[..artists].iter().map(ToString::to_string).collect(),
            self.concepts,
        ];
        ["group", "subgroup", "artist", "concept"]
            .into_iter()
            .zip(classes)
            .zip(values)
            .map(|((name, classes), values)| Factor {
                name: name.into(),
                classes,
                values,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};
    use serde_json::json;

    use super::*;
    use crate::find_card;

    fn entry(index: usize, group: &str, subgroup: &str) -> serde_json::Value {
        json!({
            "unified": format!("{index:04X}"), "image": format!("{index:04x}.png"),
            "short_name": format!("concept {index}"), "category": group,
            "subcategory": subgroup, "has_img_google": true,
            "has_img_twitter": index != 7, "unknown": [1, 2],
        })
    }

    /// 41 concepts that count, one that only Google drew, two of a small group.
    fn entries() -> Vec<serde_json::Value> {
        (0..44)
            .map(|i| match i {
                42.. => entry(i, "Few", "few"),
                38.. => entry(i, "Things", "small"),
                _ => entry(i, "Things", "large"),
            })
            .collect()
    }

    fn drawing(side: u32, value: u8) -> Vec<u8> {
        let mut picture = RgbaImage::new(side, side);
        picture.put_pixel(1, 0, Rgba([value, 1, 2, 255]));
        picture::encode(&DynamicImage::from(picture), ImageFormat::Png)
    }

    type Members = Vec<(String, Vec<u8>)>;

    fn members(artist: &str, list: &[serde_json::Value]) -> Members {
        let mut members: Members = list
            .iter()
            .enumerate()
            .filter(|(i, _)| artist == "google" || *i != 7)
            .map(|(i, _)| {
                let value = i as u8 + if artist == "google" { 0 } else { 100 };
                (
                    format!("package/img/{artist}/64/{i:04x}.png"),
                    drawing(64, value),
                )
            })
            .collect();
        members.push((LIST.into(), serde_json::to_vec(list).unwrap()));
        members.push((format!("package/img/{artist}/sheets/a.png"), vec![0; 9]));
        members
    }

    fn read_with(
        change: impl Fn(&mut Members, &mut Members),
        part: Part,
    ) -> Result<RawPart, DataError> {
        let dir = tempfile::tempdir().unwrap();
        let list = entries();
        let (mut google, mut twitter) = (members("google", &list), members("twitter", &list));
        change(&mut google, &mut twitter);
        let paths = [dir.path().join("g.tgz"), dir.path().join("t.tgz")];
        for (path, members) in paths.iter().zip([&google, &twitter]) {
            let members: Vec<(&str, Vec<u8>)> = members
                .iter()
                .map(|(name, content)| (name.as_str(), content.clone()))
                .collect();
            tarball::write(path, &members);
        }
        let card = Card {
            train: 68,
            test: 14,
            ..find_card("emoji").unwrap().clone()
        };
        read(&card, part, &paths)
    }

    #[test]
    fn drawings_of_a_concept_stay_together() {
        let train = read_with(|_, _| {}, Part::Train).unwrap();
        let test = read_with(|_, _| {}, Part::Test).unwrap();
        let factor = |part: &RawPart, name: &str| {
            part.factors
                .iter()
                .find(|f| f.name == name)
                .unwrap()
                .clone()
        };
        for part in [&train, &test] {
            let concepts = factor(part, "concept");
            assert_eq!(concepts.classes.len(), 41);
            let artists = factor(part, "artist").values;
            for (pair, artists) in concepts.values.chunks(2).zip(artists.chunks(2)) {
                assert_eq!(pair[0], pair[1]);
                assert_eq!(artists, [0, 1]);
            }
            assert!(concepts.values.is_sorted(), "in the order of the list");
            assert_eq!(factor(part, "group").classes, ["Things"]);
            assert_eq!(factor(part, "subgroup").classes, ["large", "small"]);
        }
        let train_concepts: BTreeSet<u16> = factor(&train, "concept").values.into_iter().collect();
        let test_concepts: BTreeSet<u16> = factor(&test, "concept").values.into_iter().collect();
        assert!(train_concepts.is_disjoint(&test_concepts));
        assert_eq!((train_concepts.len(), test_concepts.len()), (34, 7));
        let small = factor(&test, "subgroup").values.contains(&1);
        assert!(!small, "a subgroup of 4 is not split");
    }

    #[test]
    fn pixels_are_those_of_the_artist_on_white() {
        let train = read_with(|_, _| {}, Part::Train).unwrap();
        let concepts = &train.factors[3];
        let len = 3 * SIDE * SIDE;
        for sample in 0..4 {
            let name = &concepts.classes[usize::from(concepts.values[sample])];
            let index: u8 = name.strip_prefix("concept ").unwrap().parse().unwrap();
            let value = index + if sample % 2 == 0 { 0 } else { 100 };
            assert_eq!(train.samples[sample * len..][..3], [255, value, 255]);
        }
    }

    #[test]
    fn damage_is_refused() {
        let text = |change: &dyn Fn(&mut Members, &mut Members)| {
            let error = read_with(change, Part::Train).unwrap_err();
            assert!(matches!(error, DataError::Damaged { .. }), "{error}");
            error.to_string()
        };
        let place = |members: &Members, name: &str| {
            members.iter().position(|(n, _)| n.ends_with(name)).unwrap()
        };
        let error = text(&|google, _| drop(google.remove(place(google, "emoji.json"))));
        assert!(error.contains("no package/emoji.json"), "{error}");
        let error = text(&|google, _| {
            let at = place(google, "emoji.json");
            google[at].1.truncate(50);
        });
        assert!(
            error.contains("emoji.json is not as it should be"),
            "{error}"
        );
        let error = text(&|_, twitter| twitter.retain(|(n, _)| !n.ends_with("0028.png")));
        assert!(
            error.contains("0028.png, which package/emoji.json lists"),
            "{error}"
        );
        let error = text(&|_, twitter| {
            let at = place(twitter, "0028.png");
            twitter[at].1 = drawing(32, 1);
        });
        assert!(error.contains("32x32"), "{error}");
        let error = text(&|google, _| {
            let at = place(google, "0028.png");
            google[at].1.truncate(60);
        });
        assert!(error.contains("0028.png"), "{error}");
        let error = text(&|google, _| {
            let at = place(google, "emoji.json");
            let list = String::from_utf8(google[at].1.clone()).unwrap();
            google[at].1 = list.replace("concept 12\"", "concept 11\"").into_bytes();
        });
        assert!(error.contains("'concept 11' twice"), "{error}");
        let error = text(&|google, _| {
            let at = place(google, "emoji.json");
            let mut list = entries();
            list.truncate(41);
            google[at].1 = serde_json::to_vec(&list).unwrap();
        });
        assert!(error.contains("samples; emoji has 68"), "{error}");
    }
}
