// The same as index.cjs, for import.
import whiten from "./index.cjs";

export const { getLoadablePath, load, toBlob, sqlFolder } = whiten;
export default whiten;
