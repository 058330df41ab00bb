// What the package gives by require, and what it refuses.
const { getLoadablePath, load, sqlFolder, toBlob } = require("sqlite-whiten");
const { existsSync } = require("node:fs");

const fails = (run) => {
  try {
    run();
    return "no error";
  } catch (error) {
    return error.message;
  }
};
console.log(existsSync(getLoadablePath()), existsSync(`${sqlFolder}/fit.sql`));
console.log(fails(() => load({})));
console.log(fails(() => toBlob(Float64Array.of(1, 2))));
console.log(fails(() => toBlob([1, 2])));
