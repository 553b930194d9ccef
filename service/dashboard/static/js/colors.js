/**
 * A colour for each cluster, the same for ever since it follows from the id; known classes are grey, outliers orange.
 *
 * Both themes have their own: at least 3:1 against the map's background (WCAG 1.4.11). Neighbouring ids are far apart on
 * the wheel, and orange, which means outlier, is left out.
 */

/** Hues in degrees. */
const HUES = [205, 140, 320, 265, 175, 350, 95, 235, 290, 60];

const themes = {
  light: { background: [255, 255, 255], known: [104, 117, 134], outlier: [192, 86, 0], saturation: 0.68, lightness: 0.37 },
  dark: { background: [15, 20, 27], known: [125, 140, 158], outlier: [255, 160, 60], saturation: 0.72, lightness: 0.66 },
};

/** @typedef {[number, number, number]} Rgb 0 to 255 */

/** @returns {"light" | "dark"} what the page shows now */
export function themeName() {
  return document.documentElement.dataset.theme === "dark" ? "dark" : "light";
}

/** @param {"known" | "outlier"} kind @returns {Rgb} */
export function kindColor(kind) {
  return /** @type {Rgb} */ (themes[themeName()][kind]);
}

/** @param {number} id @returns {Rgb} */
export function clusterColor(id) {
  const { saturation, lightness } = themes[themeName()];
  const turn = Math.floor((id - 1) / HUES.length);
  const around = (HUES[(id - 1) % HUES.length] + turn * 13) % 360;
  const hue = around > 8 && around < 48 ? around + 40 : around; // orange is an outlier's
  const shift = hue > 45 && hue < 200 && themeName() === "light" ? -0.07 : 0; // yellow and green are bright
  return hsl(hue, saturation, lightness + shift);
}

/** A colour laid thinly on the map's background, opaque. @param {Rgb} rgb @param {number} share of the colour @returns {Rgb} */
export function thinned(rgb, share) {
  const under = themes[themeName()].background;
  return /** @type {Rgb} */ (rgb.map((channel, k) => Math.round(share * channel + (1 - share) * under[k])));
}

/** @param {Rgb} rgb @param {number} [alpha] */
export function css(rgb, alpha = 1) {
  return `rgb(${rgb[0]} ${rgb[1]} ${rgb[2]} / ${alpha})`;
}

/** @param {number} hue @param {number} s @param {number} l @returns {Rgb} */
function hsl(hue, s, l) {
  const a = s * Math.min(l, 1 - l);
  /** @param {number} n */
  const channel = (n) => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (l - a * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}
