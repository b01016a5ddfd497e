import { signal } from "./signal";

/** Colours as the person wants them; `system` is light or dark as the system says, or high contrast if it asks for more. */
export type Theme = "system" | "light" | "dark" | "contrast";
export type Density = "comfortable" | "dense";

const THEMES: readonly Theme[] = ["system", "light", "dark", "contrast"];
/** What was seen last on this device: the first paint and the sign-in page have it before the server answers. */
const KEPT = "parlance.look";

/** The person's wish, whatever it comes from. */
export const look = signal<{ theme: Theme; density: Density }>({ theme: "system", density: "comfortable" });

/** Reads a preference that may be anything. */
export function themeOf(value: unknown): Theme {
  return THEMES.find((it) => it === value) ?? "system";
}

export function densityOf(value: unknown): Density {
  return value === "dense" ? "dense" : "comfortable";
}

/** The value set that shows a theme. */
export function resolveTheme(theme: Theme, system: { dark: boolean; contrast: boolean }): Exclude<Theme, "system"> {
  if (theme !== "system") return theme;
  return system.contrast ? "contrast" : system.dark ? "dark" : "light";
}

/** From now on the page looks as `look` says. */
export function startLook(): void {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const contrast = window.matchMedia("(prefers-contrast: more)");
  const kept = localStorage.getItem(KEPT)?.split(" ") ?? [];
  look.set({ theme: themeOf(kept[0]), density: densityOf(kept[1]) });
  const show = () => {
    const { theme, density } = look.get();
    document.documentElement.dataset["theme"] = resolveTheme(theme, { dark: dark.matches, contrast: contrast.matches });
    document.documentElement.dataset["density"] = density;
  };
  show();
  look.subscribe(show);
  dark.addEventListener("change", show);
  contrast.addEventListener("change", show);
}

/** Shows what the preferences say, and remembers it for the next start. */
export function setLook(theme: Theme, density: Density): void {
  const now = look.get();
  if (now.theme !== theme || now.density !== density) look.set({ theme, density });
  localStorage.setItem(KEPT, `${theme} ${density}`);
}
