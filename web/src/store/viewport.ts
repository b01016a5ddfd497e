/**
 * How much of the window a person sees. On a phone the keyboard covers the page without making it smaller, and
 * the browser may scroll the page under it; the workspace keeps to what is visible, so that the composer stands
 * on the keyboard.
 */
export function followViewport(): () => void {
  const view = window.visualViewport;
  if (!view) return () => {};
  const { style } = document.documentElement;
  const update = () => {
    // Zoomed with two fingers one looks at a part, and nothing has been covered.
    if (view.scale > 1.01) return;
    style.setProperty("--visible-height", `${Math.round(view.height)}px`);
    style.setProperty("--visible-top", `${Math.round(view.offsetTop)}px`);
  };
  update();
  view.addEventListener("resize", update);
  view.addEventListener("scroll", update);
  return () => {
    view.removeEventListener("resize", update);
    view.removeEventListener("scroll", update);
    style.removeProperty("--visible-height");
    style.removeProperty("--visible-top");
  };
}
