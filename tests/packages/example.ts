// The types of the package: what compiles, and what must not.
import { getLoadablePath, load, sqlFolder, toBlob, type Loadable } from "sqlite-whiten";

const database: Loadable = { loadExtension: (path: string) => path };
load(database);
const paths: string[] = [getLoadablePath(), sqlFolder];
const blob: Uint8Array = toBlob(Float32Array.of(1, 2));
// @ts-expect-error: float64 would be read as other numbers
toBlob(Float64Array.of(1, 2));
// @ts-expect-error: a path is no database
load("my.db");
export { blob, paths };
