//! Images as models see them: our half of `scripts/check_preprocessing.py`, which says what the
//! files hold.

use std::error::Error;
use std::fs;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use reprsim_data::{Dataset, Part, Resampling, SampleShape, Samples};
use reprsim_models::Input;
use reprsim_train::{Normalization, Supply};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

/// A name, a shape, and values as bytes.
type Array = (String, Vec<usize>, Vec<u8>);

fn array(name: &str, images: Tensor<4>) -> Array {
    let [_, shape @ ..] = images.dims();
    let values = images.into_data();
    let bytes = values.iter::<f32>().flat_map(f32::to_le_bytes).collect();
    (name.to_string(), shape.to_vec(), bytes)
}

fn write(path: &Path, arrays: &[Array]) -> Result<(), Box<dyn Error>> {
    let views: Result<Vec<_>, _> = arrays
        .iter()
        .map(|(name, shape, bytes)| {
            TensorView::new(Dtype::F32, shape.clone(), bytes).map(|view| (name, view))
        })
        .collect();
    Ok(fs::write(path, safetensors::serialize(views?, None)?)?)
}

/// The operator's result for an image `[1, c, h, w]` on the 0..255 scale.
fn resampled(image: Tensor<4>, by: Resampling, device: &Device) -> Tensor<4> {
    let [_, _, height, width] = image.dims();
    let [rows, columns] = by.matrices([height, width]);
    let rows = Tensor::from_data(TensorData::new(rows, [height, by.size]), device);
    let columns = Tensor::from_data(TensorData::new(columns, [width, by.size]), device);
    reprsim_kernels::resample(image, rows, columns)
}

fn main() -> Result<(), Box<dyn Error>> {
    let argument = std::env::args()
        .nth(1)
        .ok_or("usage: resample DIRECTORY [DEVICE]")?;
    let folder = Path::new(&argument);
    let device = std::env::args().nth(2).unwrap_or("cpu".into());
    let device = reprsim_device::choose(&device)?.device;
    let by: Resampling = serde_json::from_slice(&fs::read(folder.join("case.json"))?)?;
    let bytes = fs::read(folder.join("images.safetensors"))?;
    let (mut all_resampled, mut all_seen) = (vec![], vec![]);
    for (name, view) in SafeTensors::deserialize(&bytes)?.tensors() {
        let [channels, height, width]: [usize; 3] = view.shape().try_into()?;
        let values: Vec<f32> = view.data().iter().map(|&v| f32::from(v)).collect();
        let image = TensorData::new(values, [1, channels, height, width]);
        let image = Tensor::from_data(image, &device);
        all_resampled.push(array(&name, resampled(image, by, &device)));
        let dataset = Dataset {
            name: name.clone(),
            identity: name.clone(),
            part: Part::Test,
            shape: SampleShape::Image {
                channels,
                height,
                width,
            },
            samples: Samples::images(view.data().to_vec(), view.data().len()),
            factors: vec![],
            label: vec![],
            blocks: vec![],
            skipped: vec![],
        };
        let normalization = Normalization::identity(channels);
        let supply = Supply::new(dataset, None, normalization, &device, u64::MAX);
        let Input::Images(seen) = supply.resampled(Some(by)).slice(0..1) else {
            return Err("no images".into());
        };
        all_seen.push(array(&name, seen));
    }
    write(&folder.join("resampled.safetensors"), &all_resampled)?;
    write(&folder.join("seen.safetensors"), &all_seen)
}
