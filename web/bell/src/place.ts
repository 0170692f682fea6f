// Where the panel is. It has a place before it is shown, so that nothing moves.

const MARGIN = 8;
/** As the styles have them, for a panel that has no size yet. */
const WIDTH_REM = 26;
const HEIGHT_REM = 38;
/** Where less than this is free under the bell, the panel covers it. */
const LOWEST = 360;

/** Puts a panel under the bell, as far to the side as the window allows. */
export function placeUnder(button: HTMLElement, panel: HTMLElement): void {
  const bell = button.getBoundingClientRect();
  const top = bell.bottom + MARGIN / 2;
  const below = window.innerHeight - top - MARGIN;
  const most = below < LOWEST ? window.innerHeight - 2 * MARGIN : below;
  panel.style.maxHeight = `${most}px`;
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const width = panel.offsetWidth || Math.min(WIDTH_REM * rem, document.documentElement.clientWidth - 2 * MARGIN);
  const height = panel.offsetHeight || Math.min(HEIGHT_REM * rem, most);
  const left = getComputedStyle(button).direction === "rtl" ? bell.left : bell.right - width;
  panel.style.left = `${clamp(left, document.documentElement.clientWidth - width)}px`;
  panel.style.top = `${clamp(top, window.innerHeight - height)}px`;
}

const clamp = (value: number, most: number): number => Math.max(MARGIN, Math.min(value, most - MARGIN));
