//! Samples of one part of a data set as a device takes them: resident there where they fit
//! its budget, else sent batch by batch; and not touched before the first is asked for.

use std::ops::Range;
use std::sync::OnceLock;
#[cfg(feature = "wgpu")]
use std::sync::{Mutex, PoisonError};

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use reprsim_data::{Dataset, Resampling};
#[cfg(feature = "wgpu")]
use reprsim_graph::{Gpu, GraphError, Resident, Samples};
use reprsim_models::{Input, SampleShape};

use crate::error::TrainError;
use crate::packed::Packing;
use crate::preprocessing::{Constants, Normalization};

/// Samples as they were drawn for a batch, before a task makes one of them.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one a step, on the stack"
)]
pub enum Drawn {
    /// Normalised images, `[n, channels, height, width]`, and the class of each, `[n]`.
    Images(Tensor<4>, Tensor<1, Int>),
    /// Windows of text, `[n, window + 1]`: one token more than a model takes in, which is
    /// only a target.
    Windows(Tensor<2, Int>),
}

impl Drawn {
    /// Number of samples.
    pub fn len(&self) -> usize {
        match self {
            Self::Images(images, _) => images.dims()[0],
            Self::Windows(windows) => windows.dims()[0],
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same on the device's side that keeps track of derivatives.
    #[must_use]
    pub(crate) fn autodiff(self) -> Self {
        match self {
            Self::Images(images, labels) => Self::Images(images.autodiff(), labels.autodiff()),
            Self::Windows(windows) => Self::Windows(windows.autodiff()),
        }
    }

    /// The images and their classes that `task` learns from.
    ///
    /// # Errors
    /// [`TrainError::Task`] if it is text.
    pub fn images(self, task: &'static str) -> Result<(Tensor<4>, Tensor<1, Int>), TrainError> {
        match self {
            Self::Images(images, labels) => Ok((images, labels)),
            Self::Windows(_) => Err(TrainError::Task {
                task,
                needs: "images",
                given: "text",
            }),
        }
    }

    /// The windows of text that `task` learns from.
    ///
    /// # Errors
    /// [`TrainError::Task`] if they are images.
    pub fn windows(self, task: &'static str) -> Result<Tensor<2, Int>, TrainError> {
        match self {
            Self::Windows(windows) => Ok(windows),
            Self::Images(..) => Err(TrainError::Task {
                task,
                needs: "text",
                given: "images",
            }),
        }
    }
}

/// Some samples of one part of a data set, for one device.
#[derive(Debug)]
pub struct Supply {
    dataset: Dataset,
    /// Which of its samples; all where `None`.
    indices: Option<Vec<u32>>,
    normalization: Normalization,
    /// How stored images become those that models see; not at all where `None`.
    input: Option<Resampling>,
    device: Device,
    /// Bytes that may be resident.
    budget: u64,
    resident: OnceLock<Option<Tensor<2, Int>>>,
    /// The same for steps that are replayed.
    #[cfg(feature = "wgpu")]
    on_gpu: Mutex<Option<Resident>>,
    constants: OnceLock<Constants>,
}

impl Supply {
    /// The samples at `indices` of `dataset` (every sample where `None`), of which at most
    /// `budget` bytes are kept on `device`. Nothing is read or sent yet.
    pub fn new(
        dataset: Dataset,
        indices: Option<Vec<u32>>,
        normalization: Normalization,
        device: &Device,
        budget: u64,
    ) -> Self {
        Self {
            dataset,
            indices,
            normalization,
            input: None,
            device: device.clone(),
            budget,
            resident: OnceLock::new(),
            #[cfg(feature = "wgpu")]
            on_gpu: Mutex::default(),
            constants: OnceLock::new(),
        }
    }

    /// The same images, which models see as `input` makes them of the stored ones, batch by batch
    /// on the device. Random changes of training images come before, at the stored size.
    #[must_use]
    pub fn resampled(mut self, input: Option<Resampling>) -> Self {
        self.input = input.filter(|input| match self.dataset.shape {
            SampleShape::Image { height, width, .. } => !input.is_identity([height, width]),
            SampleShape::Tokens { .. } => false,
        });
        self
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.indices
            .as_ref()
            .map_or_else(|| self.dataset.len(), Vec::len)
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The data set whose samples these are.
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// The device that they are for.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The shape of one sample, as a model takes it in.
    pub fn shape(&self) -> SampleShape {
        let stored = self.dataset.shape;
        self.input.map_or(stored, |input| input.shape(stored))
    }

    /// Channels, height and width of an image as it is stored and sent; 0 of text.
    pub(crate) fn stored(&self) -> [usize; 3] {
        match self.dataset.shape {
            SampleShape::Image {
                channels,
                height,
                width,
            } => [channels, height, width],
            SampleShape::Tokens { .. } => [0; 3],
        }
    }

    /// Whether samples have been sent to stay on the device.
    pub fn is_resident(&self) -> bool {
        self.resident.get().is_some_and(Option::is_some)
    }

    /// Samples `range` as a batch that models take.
    pub fn slice(&self, range: Range<usize>) -> Input {
        match self.shape() {
            SampleShape::Image { .. } => Input::Images(self.preprocess(self.unpacked(range))),
            SampleShape::Tokens { window, .. } => {
                Input::Tokens(self.rows(range).slice_dim(1, 0..window))
            }
        }
    }

    /// The samples at `places` as they are drawn for a batch, images with their `labels`.
    pub fn drawn(&self, places: &[u32], labels: Tensor<1, Int>) -> Drawn {
        match self.shape() {
            SampleShape::Image { .. } => {
                let values: Vec<i32> = places.iter().map(|&place| place as i32).collect();
                let on_device = TensorData::new(values, [places.len()]);
                let on_device = Tensor::from_data(on_device, &self.device);
                Drawn::Images(self.preprocess(self.gather(places, on_device)), labels)
            }
            SampleShape::Tokens { .. } => {
                Drawn::Windows(self.sent(places.iter().map(|&place| place as usize)))
            }
        }
    }

    /// Images `range` on the 0..255 scale.
    fn unpacked(&self, range: Range<usize>) -> Tensor<4> {
        self.packing().unpack(self.rows(range))
    }

    /// The images at `places` (of this supply, in a tensor on the device too) on the 0..255
    /// scale, `[n, c, h, w]`.
    pub fn gather(&self, places: &[u32], on_device: Tensor<1, Int>) -> Tensor<4> {
        let words = match self.resident() {
            Some(all) => all.clone().select(0, on_device),
            None => self.sent(places.iter().map(|&place| place as usize)),
        };
        self.packing().unpack(words)
    }

    /// Whether samples are on the device, where they are put on first use if they fit.
    fn resident(&self) -> Option<&Tensor<2, Int>> {
        let place = || {
            // A GPU has no empty buffers.
            (!self.is_empty() && self.bytes() <= self.budget).then(|| self.sent(0..self.len()))
        };
        self.resident.get_or_init(place).as_ref()
    }

    /// Bytes of all samples on the device.
    fn bytes(&self) -> u64 {
        match self.shape() {
            SampleShape::Image { .. } => self.packing().bytes(self.len()),
            SampleShape::Tokens { window, .. } => 4 * (self.len() * (window + 1)) as u64,
        }
    }

    /// Rows `range`: words of images, or windows of tokens.
    fn rows(&self, range: Range<usize>) -> Tensor<2, Int> {
        match self.resident() {
            Some(all) => all.clone().slice_dim(0, range),
            None => self.sent(range),
        }
    }

    /// The samples at some places, sent to the device now.
    fn sent(&self, places: impl ExactSizeIterator<Item = usize>) -> Tensor<2, Int> {
        let indices = places.map(|place| match &self.indices {
            Some(indices) => indices[place] as usize,
            None => place,
        });
        match self.shape() {
            SampleShape::Image { .. } => self.packing().pack(&self.dataset, indices, &self.device),
            SampleShape::Tokens { window, .. } => {
                let count = indices.len();
                let mut values = Vec::with_capacity(count * (window + 1));
                for index in indices {
                    values.extend(self.dataset.tokens(index).iter().map(|&t| i32::from(t)));
                }
                let data = TensorData::new(values, [count, window + 1]);
                Tensor::from_data(data, (&self.device, DType::I32))
            }
        }
    }

    fn packing(&self) -> Packing {
        Packing {
            shape: self.stored(),
        }
    }

    /// Whether all samples may stay on the device.
    pub(crate) fn fits(&self) -> bool {
        self.bytes() <= self.budget
    }

    /// Samples on a GPU whose programs read them there: images that fit the budget.
    ///
    /// # Errors
    /// [`GraphError::Memory`] if the GPU has no such memory left.
    #[cfg(feature = "wgpu")]
    pub fn on_gpu(&self, gpu: &Gpu) -> Result<Option<Resident>, GraphError> {
        let Samples::Resident(_) = self.taped_samples() else {
            return Ok(None);
        };
        // Models that begin together send it once.
        let mut on_gpu = self.on_gpu.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(there) = &*on_gpu {
            return Ok(Some(there.clone()));
        }
        let all: Vec<u32> = (0..self.len())
            .flat_map(|place| self.image_words(place))
            .collect();
        let sent = gpu.resident(&all)?;
        *on_gpu = Some(sent.clone());
        Ok(Some(sent))
    }

    /// An image's bytes, four to a word.
    pub(crate) fn image_words(&self, place: usize) -> impl Iterator<Item = u32> {
        self.dataset
            .bytes(self.index(place))
            .chunks(4)
            .map(|bytes| {
                let mut word = [0; 4];
                word[..bytes.len()].copy_from_slice(bytes);
                u32::from_le_bytes(word)
            })
    }

    /// The place in the data set of a sample.
    fn index(&self, place: usize) -> usize {
        self.indices.as_ref().map_or(place, |i| i[place] as usize)
    }

    /// Tokens of a window.
    pub(crate) fn tokens(&self, place: usize) -> &[u16] {
        self.dataset.tokens(self.index(place))
    }

    /// What brings images to what models see, as arrays of a device.
    pub(crate) fn constants_on(&self, device: &Device) -> Constants {
        let [_, height, width] = self.stored();
        Constants::new(&self.normalization, self.input, [height, width], device)
    }

    /// Brings images on the 0..255 scale, as they are stored or after random changes, to the size
    /// and the scale that models see.
    pub fn preprocess(&self, images: Tensor<4>) -> Tensor<4> {
        let on_device = || self.constants_on(&self.device);
        self.constants.get_or_init(on_device).preprocess(images)
    }
}
