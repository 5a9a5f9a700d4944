//! How far measurements lie from the truth: analytic solids at random poses on the grids of real scanners.

#[cfg(test)]
mod axes;
#[cfg(test)]
mod detail;
#[cfg(test)]
mod margin;
#[cfg(test)]
mod solid;
#[cfg(test)]
mod two_zones;
