//! A thermometer without hardware.
