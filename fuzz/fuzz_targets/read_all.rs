//! Opens a file and reads all that can be read of it.

use std::cell::RefCell;
use std::io::{Seek, Write};
use std::path::PathBuf;

use reprsim_activations::{ActivationFile, Axes, Pool, Reading};

thread_local! {
    static PLACE: RefCell<Option<(PathBuf, std::fs::File)>> = const { RefCell::new(None) };
}

/// Writes `data` as a file with this ending and reads it back every way.
pub fn read_all(ending: &str, data: &[u8]) {
    PLACE.with(|place| {
        let mut place = place.borrow_mut();
        let (path, file) = place.get_or_insert_with(|| {
            // Memory where there is some: the disk is slow.
            let shm = PathBuf::from("/dev/shm");
            let folder = if shm.is_dir() {
                shm
            } else {
                std::env::temp_dir()
            };
            let path = folder.join(format!("reprsim-fuzz-{}.{ending}", std::process::id()));
            let file = std::fs::File::create(&path).expect("a temporary file");
            (path, file)
        });
        file.rewind().expect("rewind");
        file.set_len(0).expect("truncate");
        file.write_all(data).expect("write");
        let Ok(opened) = ActivationFile::open(path) else {
            return;
        };
        if let Some(ids) = &opened.ids {
            ids.check(ids).expect("ids agree with themselves");
        }
        let pools = Pool::NAMES.map(|name| name.parse::<Pool>().ok());
        let orders = ["", "cn,tnc,nhwc,wdhcn"].map(|text| Axes::several(text).unwrap_or_default());
        let readings = pools.into_iter().chain([None]).flat_map(|pool| {
            let with = move |axes| Reading {
                pool,
                axes,
                ..Reading::default()
            };
            orders.clone().map(with)
        });
        let readings: Vec<Reading> = readings.collect();
        for layer in &opened.layers {
            for reading in &readings {
                let Ok(matrix) = layer.matrix(reading) else {
                    continue;
                };
                let [n, d] = matrix.shape();
                // Rows of no dimension may be claimed by the billion.
                let rows = n.min(100);
                let mut out = vec![0.0; rows * d];
                matrix
                    .read(0..rows, &mut out)
                    .expect("its size was checked");
                let mut last = vec![0.0; d];
                if n > 0 {
                    matrix
                        .read(n - 1..n, &mut last)
                        .expect("its size was checked");
                }
                assert!(matrix.read(n..n + 1, &mut last).is_err());
            }
        }
    });
}
