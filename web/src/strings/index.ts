import { en } from "./en";

/** Every text that the client shows. Another language is another object of this type. */
export type Catalogue = typeof en;

export const t: Catalogue = en;
