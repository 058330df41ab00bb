/** A connection that can load an extension: node:sqlite's DatabaseSync, better-sqlite3's or bun:sqlite's Database. */
export interface Loadable {
  loadExtension(path: string, ...rest: any[]): unknown;
}
/** The path of whiten.so, which SQLite loads. Throws on a platform that has no package. */
export function getLoadablePath(): string;
/** Loads whiten into a connection; node:sqlite's must have been opened with allowExtension: true. */
export function load(db: Loadable): void;
/** A vector as SQLite stores it: the bytes of a Float32Array, not copied. */
export function toBlob(vector: Float32Array): Uint8Array;
/** The folder of the SQL scripts: fit.sql, apply.sql, index.sql ... */
export const sqlFolder: string;
