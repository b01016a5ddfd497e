import { expect, test } from "vitest";
import { densityOf, resolveTheme, themeOf } from "./look";

test("the system's wishes count only where the person has none", () => {
  expect(resolveTheme("system", { dark: false, contrast: false })).toBe("light");
  expect(resolveTheme("system", { dark: true, contrast: false })).toBe("dark");
  expect(resolveTheme("system", { dark: true, contrast: true })).toBe("contrast");
  expect(resolveTheme("light", { dark: true, contrast: true })).toBe("light");
});

test("a preference that nobody knows is none", () => {
  expect(themeOf("pink")).toBe("system");
  expect(themeOf(undefined)).toBe("system");
  expect(themeOf("contrast")).toBe("contrast");
  expect(densityOf(7)).toBe("comfortable");
});
