//! The dependency descriptor (RTP payload format for AV1, appendix A): where a frame stands among
//! the layers of its stream, and which frames it needs.
//!
//! Most packets name a template; the templates come with the keyframes and are kept per stream.

use crate::track::MAX_LAYERS;

const MAX_TEMPLATES: usize = 64;
const MAX_TARGETS: usize = 32;
const MAX_TEMPORAL_ID: u8 = 7;
/// Frames that one frame refers to; encoders use three at most. With more it is not readable.
const MAX_REFERENCES: usize = 8;
/// Bytes of mandatory_descriptor_fields().
const MANDATORY_BYTES: usize = 3;
/// Temporal layers told apart in a [`Grid`].
const GRID_TEMPORAL: u8 = 4;

/// A set of pairs of spatial and temporal layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grid(u16);

impl Grid {
    fn bit(spatial: u8, temporal: u8) -> u16 {
        let spatial = spatial.min(MAX_LAYERS as u8 - 1);
        1 << (spatial * GRID_TEMPORAL + temporal.min(GRID_TEMPORAL - 1))
    }

    fn insert(&mut self, spatial: u8, temporal: u8) {
        self.0 |= Self::bit(spatial, temporal);
    }

    pub(crate) fn contains(self, spatial: u8, temporal: u8) -> bool {
        self.0 & Self::bit(spatial, temporal) != 0
    }
}

/// What a frame is to a decode target (section A.4).
const DTI_NOT_PRESENT: u64 = 0;
const DTI_SWITCH: u64 = 2;

/// Two bits for each decode target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Indications(u64);

impl Indications {
    fn of(self, target: usize) -> u64 {
        self.0 >> (2 * target) & 0x03
    }
}

/// Distances in frame numbers to the frames that are needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct References {
    distances: [u16; MAX_REFERENCES],
    len: u8,
}

impl References {
    fn push(&mut self, distance: u16) -> Option<()> {
        *self.distances.get_mut(usize::from(self.len))? = distance;
        self.len += 1;
        Some(())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.distances.iter().take(self.len.into()).copied()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Template {
    spatial: u8,
    temporal: u8,
    indications: Indications,
    switches: Grid,
    references: References,
}

/// The templates of a stream: what its frames can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Structure {
    /// Number of the frame with which it came.
    since: u16,
    offset: u8,
    templates: Vec<Template>,
    targets: usize,
    chains: usize,
    /// Highest layers of each decode target.
    target_layers: [(u8, u8); MAX_TARGETS],
    /// Those layers as a set.
    grid: Grid,
    /// Width and height of each spatial layer, where they are told.
    pub sizes: Option<[(u32, u32); MAX_LAYERS]>,
}

impl Structure {
    /// Is a frame number older than the frame with which these templates came?
    pub(crate) fn predates(&self, frame_number: u16) -> bool {
        (frame_number.wrapping_sub(self.since) as i16) < 0
    }

    /// The layers of the decode targets to which one can go over at such a frame.
    fn switches(&self, indications: Indications) -> Grid {
        self.grid(|target| indications.of(target) == DTI_SWITCH)
    }

    fn grid(&self, holds: impl Fn(usize) -> bool) -> Grid {
        let mut grid = Grid::default();
        for (target, (spatial, temporal)) in self.target_layers.iter().take(self.targets).enumerate() {
            if holds(target) {
                grid.insert(*spatial, *temporal);
            }
        }
        grid
    }

    /// Spatial layers of the decode targets in `active`.
    fn layers(&self, active: u32) -> u8 {
        let targets = self.target_layers.iter().take(self.targets).enumerate();
        targets
            .filter(|(target, _)| active >> target & 1 != 0)
            .map(|(_, (spatial, _))| spatial + 1)
            .max()
            .unwrap_or(0)
    }
}

/// What the core reads of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptor {
    pub frame_number: u16,
    pub starts_frame: bool,
    pub ends_frame: bool,
    pub spatial: u8,
    pub temporal: u8,
    pub references: References,
    /// Decode targets there are, by their highest layers.
    pub targets: Grid,
    /// Those that can be gone over to at this frame, if the frame can be decoded.
    pub switches: Grid,
    /// How many spatial layers are sent from here on; `None` = as before.
    pub layers: Option<u8>,
    /// First packet of a frame that needs no other and brings the templates.
    pub starts_keyframe: bool,
}

/// A descriptor, and the templates if it brought some.
pub(crate) struct Parsed {
    pub descriptor: Descriptor,
    pub structure: Option<Structure>,
}

/// `known`: the templates that came last on this stream. `None` when the descriptor is cut off,
/// breaks the rules or names a template that is not known.
pub(crate) fn parse(bytes: &[u8], known: Option<&Structure>) -> Option<Parsed> {
    let mut bits = Bits { bytes, at: 0 };
    let (starts_frame, ends_frame) = (bits.flag()?, bits.flag()?);
    let template_id = bits.take(6)? as u8;
    let frame_number = bits.take(16)? as u16;
    let mut flags = [false; 5];
    if bytes.len() > MANDATORY_BYTES {
        for flag in &mut flags {
            *flag = bits.flag()?;
        }
    }
    let [has_structure, has_active, custom_indications, custom_references, custom_chains] = flags;
    let attached = if has_structure { Some(structure(&mut bits, frame_number)?) } else { None };
    let structure = attached.as_ref().or(known)?;
    let mut active = has_structure.then_some(u32::MAX);
    if has_active {
        active = Some(bits.take(structure.targets)? as u32);
    }
    let index = (template_id + MAX_TEMPLATES as u8 - structure.offset) % MAX_TEMPLATES as u8;
    let mut frame = *structure.templates.get(usize::from(index))?;
    if custom_indications {
        frame.switches = structure.switches(indications(&mut bits, structure.targets)?);
    }
    if custom_references {
        frame.references = frame_references(&mut bits)?;
    }
    if custom_chains {
        bits.take_chains(structure.chains, 8)?;
    }
    let descriptor = Descriptor {
        frame_number,
        starts_frame,
        ends_frame,
        spatial: frame.spatial,
        temporal: frame.temporal,
        references: frame.references,
        targets: structure.grid,
        switches: frame.switches,
        layers: active.map(|active| structure.layers(active)),
        starts_keyframe: has_structure && starts_frame && frame.references.len == 0 && frame.spatial == 0,
    };
    Some(Parsed { descriptor, structure: attached })
}

/// template_dependency_structure().
fn structure(bits: &mut Bits<'_>, since: u16) -> Option<Structure> {
    let offset = bits.take(6)? as u8;
    let targets = bits.take(5)? as usize + 1;
    let mut templates = template_layers(bits)?;
    for template in &mut templates {
        template.indications = indications(bits, targets)?;
    }
    for template in &mut templates {
        while bits.flag()? {
            template.references.push(bits.take(4)? as u16 + 1)?;
        }
    }
    let chains = bits.non_symmetric(targets as u32 + 1)? as usize;
    if chains > 0 {
        for _ in 0..targets {
            bits.non_symmetric(chains as u32)?;
        }
        for _ in &templates {
            bits.take_chains(chains, 4)?;
        }
    }
    let mut target_layers = [(0, 0); MAX_TARGETS];
    for (target, (spatial, temporal)) in target_layers.iter_mut().take(targets).enumerate() {
        for template in &templates {
            if template.indications.of(target) != DTI_NOT_PRESENT {
                *spatial = template.spatial.max(*spatial);
                *temporal = template.temporal.max(*temporal);
            }
        }
    }
    let top = templates.last().map_or(0, |template| template.spatial);
    let sizes = if bits.flag()? {
        let mut sizes = [(0, 0); MAX_LAYERS];
        for size in sizes.iter_mut().take(usize::from(top) + 1) {
            *size = (bits.take(16)? as u32 + 1, bits.take(16)? as u32 + 1);
        }
        Some(sizes)
    } else {
        None
    };
    let grid = Grid::default();
    let mut whole = Structure { since, offset, templates, targets, chains, target_layers, grid, sizes };
    whole.grid = whole.grid(|_| true);
    for index in 0..whole.templates.len() {
        whole.templates[index].switches = whole.switches(whole.templates[index].indications);
    }
    Some(whole)
}

fn template_layers(bits: &mut Bits<'_>) -> Option<Vec<Template>> {
    let mut templates = Vec::new();
    let (mut spatial, mut temporal) = (0, 0);
    loop {
        if templates.len() == MAX_TEMPLATES {
            return None;
        }
        templates.push(Template { spatial, temporal, ..Template::default() });
        match bits.take(2)? {
            0 => {}
            1 => temporal += 1,
            2 => (spatial, temporal) = (spatial + 1, 0),
            _ => return Some(templates),
        }
        if usize::from(spatial) >= MAX_LAYERS || temporal > MAX_TEMPORAL_ID {
            return None;
        }
    }
}

fn indications(bits: &mut Bits<'_>, targets: usize) -> Option<Indications> {
    let mut all = 0;
    for target in 0..targets {
        all |= bits.take(2)? << (2 * target);
    }
    Some(Indications(all))
}

/// frame_fdiffs().
fn frame_references(bits: &mut Bits<'_>) -> Option<References> {
    let mut references = References::default();
    loop {
        let nibbles = bits.take(2)? as usize;
        if nibbles == 0 {
            return Some(references);
        }
        references.push(bits.take(4 * nibbles)? as u16 + 1)?;
    }
}

/// Reads bits, the highest of each byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn flag(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit != 0)
    }

    /// f(`count`), up to 64 bits.
    fn take(&mut self, count: usize) -> Option<u64> {
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | u64::from(self.flag()?);
        }
        Some(value)
    }

    /// ns(`range`): a number below `range`.
    fn non_symmetric(&mut self, range: u32) -> Option<u64> {
        let width = 32 - range.leading_zeros();
        let short = (1u64 << width) - u64::from(range);
        let value = self.take(width as usize - 1)?;
        if value < short {
            return Some(value);
        }
        Some((value << 1) - short + self.take(1)?)
    }

    /// Chain distances: they tell a receiver of losses; nothing is decided by them here.
    fn take_chains(&mut self, chains: usize, width: usize) -> Option<()> {
        for _ in 0..chains {
            self.take(width)?;
        }
        Some(())
    }
}

#[cfg(test)]
#[path = "dependency_tests.rs"]
pub(crate) mod tests;
