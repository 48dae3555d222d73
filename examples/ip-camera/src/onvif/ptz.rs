//! Where a camera looks, and how it is turned.

use mapper_framework::DriverError;

use super::{Onvif, soap::content};

/// Pan, tilt and zoom: a position or a speed. The camera's own units, which are -1 to 1 (zoom from 0) for most.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Vector {
    pub(crate) pan: Option<f64>,
    pub(crate) tilt: Option<f64>,
    pub(crate) zoom: Option<f64>,
}

impl Vector {
    /// The elements of a request. Pan and tilt go together.
    fn to_xml(self) -> String {
        let Self { pan, tilt, zoom } = self;
        let mut xml = String::new();
        if let (Some(pan), Some(tilt)) = (pan, tilt) {
            xml += &format!(r#"<tt:PanTilt x="{pan}" y="{tilt}"/>"#);
        }
        if let Some(zoom) = zoom {
            xml += &format!(r#"<tt:Zoom x="{zoom}"/>"#);
        }
        xml
    }

    fn is_empty(self) -> bool {
        self == Self::default()
    }
}

impl Onvif {
    /// Where the camera looks.
    pub(crate) async fn position(&self) -> Result<Vector, DriverError> {
        let answer = self.move_it("GetStatus", "").await?;
        let position = content(&answer).and_then(|it| it.at(&["PTZStatus", "Position"]));
        let number =
            |name, axis| position?.child(name)?.attribute(axis)?.parse().ok().filter(|it: &f64| it.is_finite());
        Ok(Vector { pan: number("PanTilt", "x"), tilt: number("PanTilt", "y"), zoom: number("Zoom", "x") })
    }

    /// Turns the camera to a position. What has no value stays where it is.
    ///
    /// # Errors
    ///
    /// One of pan and tilt is missing, and the camera does not say where it looks: it would turn the other one to zero.
    pub(crate) async fn move_to(&self, mut target: Vector) -> Result<(), DriverError> {
        if target.is_empty() {
            return Err(DriverError::refused("absoluteMove needs pan, tilt or zoom"));
        }
        if target.pan.is_some() != target.tilt.is_some() {
            let now = self.position().await?;
            (target.pan, target.tilt) = (target.pan.or(now.pan), target.tilt.or(now.tilt));
            if target.pan.is_none() || target.tilt.is_none() {
                let cure = "give pan and tilt together, as absoluteMove takes them";
                return Err(DriverError::refused(format_args!("the camera does not say where it looks: {cure}")));
            }
        }
        self.move_it("AbsoluteMove", &format!("<tptz:Position>{}</tptz:Position>", target.to_xml())).await?;
        Ok(())
    }

    /// Turns the camera at a speed, and no longer than for these seconds: whoever is to stop it may be gone by then.
    pub(crate) async fn move_at(&self, speed: Vector, seconds: f64) -> Result<(), DriverError> {
        let xml = speed.to_xml();
        let request = format!("<tptz:Velocity>{xml}</tptz:Velocity><tptz:Timeout>PT{seconds:.3}S</tptz:Timeout>");
        self.move_it("ContinuousMove", &request).await?;
        Ok(())
    }

    /// Stops the camera.
    pub(crate) async fn halt(&self) -> Result<(), DriverError> {
        self.move_it("Stop", "<tptz:PanTilt>true</tptz:PanTilt><tptz:Zoom>true</tptz:Zoom>").await?;
        Ok(())
    }

    async fn move_it(&self, request: &str, content: &str) -> Result<super::Element, DriverError> {
        let Some(ptz) = &self.ptz else {
            return Err(DriverError::unsupported("this camera cannot be moved: it has no PTZ service"));
        };
        let token = &self.profile;
        let request =
            format!("<tptz:{request}><tptz:ProfileToken>{token}</tptz:ProfileToken>{content}</tptz:{request}>");
        self.ask(ptz, &request).await
    }
}
