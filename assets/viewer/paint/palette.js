// @ts-check
/**
 * Colours for values between 0 and 1.
 *
 * Perceptually ordered maps only: higher values are lighter (blues: darker) all the way, also in grey and to most colour-blind
 * eyes (cividis). 256 entries each, the same numbers as matplotlib's tables of these names (magma, viridis: CC0; blues is
 * ColorBrewer's, by Cynthia Brewer).
 * Knows no document and no canvas.
 */

import { isSigned } from '../numbers/colour_range.js';

/** The tables as hexadecimal RGB, 6 digits an entry. */
const TABLES = {
  cividis:
    '00224d00234f00235000245200255400265500265700275900285b00285c00295e002a60002a62002b64002c66002c67002d69002e6b002f6d' +
    '002f6f0030700030700031700031700432700833700b33700e347011356f14366f16366f18376f1a386f1c386e1d396e1f3a6e213b6e223b6e' +
    '243c6e253d6d273d6d283e6d2a3f6d2b3f6d2c406d2e416c2f426c30426c31436c32446c34446c35456c36466c37466c38476c39486c3a486b' +
    '3b496b3d4a6b3e4b6b3f4b6b404c6b414d6b424d6b434e6b444f6b454f6b46506b47516b48516b49526b4a536b4b546c4c546c4d556c4e566c' +
    '4e566c4f576c50586c51586c52596c535a6c545a6c555b6d565c6d575d6d585d6d595e6d595f6d5a5f6d5b606e5c616e5d616e5e626e5f636e' +
    '60646e61646f61656f62666f63666f64676f656870666970676970686a70686b71696b716a6c716b6d716c6d726d6e726e6f726e70736f7073' +
    '7071737172737273747373747474757475757575757676767777767878767978777979777a7a777b7b777c7b787d7c787e7d787f7d78807e78' +
    '817f788280788380788481788582788583788683788784788885788986788a86788b87788c88788d89788e89788f8a77908b77918c77928c77' +
    '938d77948e77958f77968f779790769891769992769a93769b93769c94769d95759e96759f9675a09775a19874a29974a39a74a49a74a59b73' +
    'a69c73a79d73a89e73a99e72aa9f72aba072aca171ada271aea271afa370b0a470b1a570b2a66fb3a66fb4a76fb5a86eb6a96eb7aa6db8ab6d' +
    'b9ab6dbaac6cbbad6cbcae6bbdaf6bbeb06abfb06ac1b169c2b269c3b368c4b468c5b567c6b567c7b666c8b765c9b865cab964cbba64ccbb63' +
    'cdbc62cebc62cfbd61d0be60d2bf60d3c05fd4c15ed5c25ed6c35dd7c35cd8c45bd9c55adac65adbc759dcc858dec957dfca56e0cb55e1cc54' +
    'e2cc53e3cd52e4ce51e5cf50e6d04fe8d14ee9d24dead34cebd44becd54aedd648eed747efd846f1d944f2da43f3da42f4db40f5dc3ff6dd3d' +
    'f8de3bf9df3afae038fbe136fde234fde333fde534fde636fde737',
  magma:
    '00000300000400000601000701010901010b02020d02020f03031104031304041505041706051907051b08061d09071f0a07220b08240c0926' +
    '0d0a280e0a2a0f0b2c100c2f110c31120d33140d35150e38160e3a170f3c180f3f1a10411b10441c10461e10491f114b20114d221150231152' +
    '2511552611572811592a115c2b115e2d10602f1062301065321067341068350f6a370f6c390f6e3b0f6f3c0f713e0f72400f73420f74430f75' +
    '450f76470f774810784a10794b10794d117a4f117b50127b52127c53137c55137d57147d58157e5a157e5b167e5d177e5e177f60187f61187f' +
    '63197f651a80661a80681b80691c806b1c806c1d806e1e816f1e81711f81731f817420817621817721817922817a22817c23817e24817f2481' +
    '8125818225818426818526818727818928818a28818c29808d29808f2a80912a80922b80942b80952c80972c7f992d7f9a2d7f9c2e7f9e2e7e' +
    '9f2f7ea12f7ea3307ea4307da6317da7317da9327cab337cac337bae347bb0347bb1357ab3357ab53679b63679b83778b93778bb3877bd3977' +
    'be3976c03a75c23a75c33b74c53c74c63c73c83d72ca3e72cb3e71cd3f70ce4070d0416fd1426ed3426dd4436dd6446cd7456bd9466ada4769' +
    'dc4869dd4968de4a67e04b66e14c66e24d65e44e64e55063e65162e75262e85461ea5560eb5660ec585fed595fee5b5eee5d5def5e5df0605d' +
    'f1615cf2635cf3655cf3675bf4685bf56a5bf56c5bf66e5bf6705bf7715bf7735cf8755cf8775cf9795cf97b5df97d5dfa7f5efa805efa825f' +
    'fb8460fb8660fb8861fb8a62fc8c63fc8e63fc9064fc9265fc9366fd9567fd9768fd9969fd9b6afd9d6bfd9f6cfda16efda26ffda470fea671' +
    'fea873feaa74feac75feae76feaf78feb179feb37bfeb57cfeb77dfeb97ffebb80febc82febe83fec085fec286fec488fec689fec78bfec98d' +
    'fecb8efdcd90fdcf92fdd193fdd295fdd497fdd698fdd89afdda9cfddc9dfddd9ffddfa1fde1a3fce3a5fce5a6fce6a8fce8aafceaacfcecae' +
    'fceeb0fcf0b1fcf1b3fcf3b5fcf5b7fbf7b9fbf9bbfbfabdfbfcbf',
  viridis:
    '44015444025544035745055845065a45085b46095c460b5e460c5f460e61470f6247116347126547146647156747166947186a48196b481a6c' +
    '481c6e481d6f481e70482071482172482273482374472575472676472777472878472a79472b7a472c7b462d7c462f7c46307d46317e45327f' +
    '45347f453580453681443781443982433a83433b83433c84423d84423e854240854141864142864043874044873f45873f47883e48883e4989' +
    '3d4a893d4b893d4c893c4d8a3c4e8a3b508a3b518a3a528b3a538b39548b39558b38568b38578c37588c37598c365a8c365b8c355c8c355d8c' +
    '345e8d345f8d33608d33618d32628d32638d31648d31658d31668d30678d30688d2f698d2f6a8d2e6b8e2e6c8e2e6d8e2d6e8e2d6f8e2c708e' +
    '2c718e2c728e2b738e2b748e2a758e2a768e2a778e29788e29798e287a8e287a8e287b8e277c8e277d8e277e8e267f8e26808e26818e25828e' +
    '25838d24848d24858d24868d23878d23888d23898d22898d228a8d228b8d218c8d218d8c218e8c208f8c20908c20918c1f928c1f938b1f948b' +
    '1f958b1f968b1e978a1e988a1e998a1e998a1e9a891e9b891e9c891e9d881e9e881e9f881ea0871fa1871fa2861fa38620a48520a58521a685' +
    '21a78422a78423a88323a98224aa8225ab8126ac8127ad8028ae7f29af7f2ab07e2bb17d2cb17d2eb27c2fb37b30b47a32b57a33b67935b778' +
    '36b87738b97639b9763bba753dbb743ebc7340bd7242be7144be7045bf6f47c06e49c16d4bc26c4dc26b4fc36951c46853c56755c66657c665' +
    '59c7645bc8625ec96160c96062ca5f64cb5d67cc5c69cc5b6bcd596dce5870ce5672cf5574d05477d05279d1517cd24f7ed24e81d34c83d34b' +
    '86d44988d5478bd5468dd64490d64392d74195d73f97d83e9ad83c9dd93a9fd938a2da37a5da35a7db33aadb32addc30afdc2eb2dd2cb5dd2b' +
    'b7dd29bade27bdde26bfdf24c2df22c5df21c7e01fcae01ecde01dcfe11cd2e11bd4e11ad7e219dae218dce218dfe318e1e318e4e318e7e419' +
    'e9e419ece41aeee51bf1e51cf3e51ef6e61ff8e621fae622fde724',
  blues:
    'f7fbfff6fafef5f9fef4f9fef3f8fdf3f8fdf2f7fdf1f7fdf0f6fceff6fceff5fceef5fcedf4fbecf4fbecf3fbebf3fbeaf2fae9f2fae8f1fa' +
    'e8f1fae7f0f9e6f0f9e5eff9e4eff9e4eef8e3eef8e2edf8e1edf8e1ecf7e0ecf7dfebf7deebf7ddeaf6ddeaf6dce9f6dbe9f6dae8f5dae8f5' +
    'd9e7f5d8e7f5d7e6f4d7e6f4d6e5f4d5e5f4d4e4f3d4e4f3d3e3f3d2e3f3d1e2f2d1e2f2d0e1f2cfe1f2cee0f1cee0f1cddff1ccdff1cbdef0' +
    'cbdef0caddf0c9ddf0c8dcefc8dcefc7dbefc6dbefc5daeec4daeec3d9eec1d9edc0d8edbfd8ecbed7ecbcd7ebbbd6ebbad6eab9d5eab7d4ea' +
    'b6d4e9b5d3e9b4d3e8b2d2e8b1d2e7b0d1e7afd1e6add0e6acd0e6abcfe5aacfe5a8cee4a7cee4a6cde3a5cde3a3cce3a2cbe2a1cbe2a0cae1' +
    '9ecae19dc9e09bc8e09ac7e098c7df97c6df95c5df93c4de92c3de90c2de8fc1dd8dc0dd8bc0dd8abfdc88bedc87bddc85bcdb83bbdb82badb' +
    '80b9da7fb8da7db8d97bb7d97ab6d978b5d877b4d875b3d873b2d772b1d770b1d76fb0d66dafd66baed66aadd569acd567abd466aad465aad3' +
    '63a9d362a8d261a7d260a6d15ea5d15da4d05ca3d05aa3cf59a2cf58a1ce57a0ce559fcd549ecd539dcc519ccc509bcb4f9bcb4e9aca4c99ca' +
    '4b98c94a97c94896c84795c84694c74594c74393c64292c64191c54090c53f8fc43e8ec43d8dc33c8cc33b8bc23a8ac13989c13888c03787c0' +
    '3585bf3484bf3383be3282be3181bd3080bd2f7fbc2e7ebc2d7dbb2c7cbb2b7bba2a7ab92979b92878b82777b82676b72575b72474b62373b6' +
    '2272b52171b52070b41f6fb31e6eb21e6db21d6cb11c6bb01b6aaf1a69ae1a68ae1967ad1866ac1765ab1764ab1663aa1562a91461a81360a7' +
    '135fa7125ea6115da5105ca40f5ba30f5aa30e59a20d58a10c57a00c56a00b559f0a549e09539d08529c08519c08509a084f99084e97084c96' +
    '084b94084a9208499108488f08478e08468c08458b084489084388084286084185084083083f82083e80083d7e083c7d083b7b083a7a083978' +
    '08387708377508367408357208347108336f08326e08316c08306b',
  grey: Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0').repeat(3)).join(''),
};

/**
 * For values on both sides of a neutral middle: lower ones blue, higher ones red. The middle is as light, or as dark, as the page.
 * ColorBrewer's RdBu, turned around, by Cynthia Brewer; and berlin by Fabio Crameri (MIT), as matplotlib has them.
 */
const DIVERGING = {
  light:
    '05306106326307346608366909386c0a3a6f0b3c720c3e750d40780e437b0f457e114781124984134b87144d8a154f8d165190175493185695' +
    '1958981a5a9b1c5c9e1d5ea11e60a41f62a72064aa2166ac2368ad246aae256caf276db0286fb02971b12b73b22c75b32d76b42f78b5307ab6' +
    '317cb7337db8347fb93581b93783ba3884bb3986bc3b88bd3c8abe3d8bbf3f8dc0408fc14191c24393c34694c44996c54c98c64f9ac7529cc8' +
    '559ec958a0ca5ba2cb5ea4cc61a6cd65a8ce68aacf6bacd06eaed171b0d274b2d377b4d57ab6d67db8d780bad884bcd987beda8ac0db8dc2dc' +
    '90c4dd93c5de95c6df98c8df9ac9e09dcae19fcbe1a2cde2a4cee3a7cfe4a9d0e4abd2e5aed3e6b0d4e6b3d5e7b5d7e8b8d8e8bad9e9bddaea' +
    'bfdcebc2ddebc4deecc7dfedc9e1edcce2eecee3efd1e5f0d2e5f0d3e6f0d5e7f0d6e7f1d8e8f1d9e9f1dbe9f1dceaf2deebf2dfecf2e1ecf3' +
    'e2edf3e4eef3e5eef3e7eff4e8f0f4eaf1f4ebf1f4edf2f5eef3f5f0f3f5f1f4f6f3f5f6f4f5f6f6f6f6f7f6f6f7f5f4f7f4f2f7f3f0f8f2ee' +
    'f8f0ecf8efeaf8eee8f9ede7f9ece5f9ebe3f9eae1f9e9dffae8ddfae7dbfae5d9fae4d7fbe3d6fbe2d4fbe1d2fbe0d0fcdfcefcdeccfcddca' +
    'fcdcc8fddbc7fcd8c4fcd6c1fbd4befbd2bcfbd0b9faceb6faccb4facab1f9c7aef9c5abf9c3a9f8c1a6f8bfa3f8bda1f7bb9ef7b99bf7b799' +
    'f6b496f6b293f5b090f5ae8ef5ac8bf4aa88f4a886f4a683f3a380f2a07ef19e7cef9b7aee9878ed9676ec9374eb9072ea8e70e88b6ee7886c' +
    'e6856ae58368e48065e27d63e17b61e0785fdf755dde725bdd7059db6d57da6a55d96853d86551d7624fd6604dd45d4bd35a4ad15749d05447' +
    'ce5146cd4f45cc4c43ca4942c94641c7433fc6403ec53e3cc33b3bc2383ac03538bf3237be3036bc2d34bb2a33b92732b82431b6212fb51f2e' +
    'b41c2db2192bb0172aad162aaa1529a71429a41328a112289e11279b1027991027960f26930e26900d258d0c258a0b24870a24840923810823' +
    '7e07227b06227805217504217203206f02206c011f69001f67001f',
  dark:
    '9eb0ff9cb0fe9ab0fd98affc95affb93affa91aef98eaef78caef68aaef587adf485adf382adf280acf17eacf07bacee79abed76abec74aaeb' +
    '71aae96fa9e86ca9e66aa8e567a8e365a7e262a6e060a5df5da5dd5ba4db58a3d956a2d754a0d5519fd34f9ed14d9dcf4b9bcd489aca4698c8' +
    '4497c64395c34194c13f92be3e90bc3c8eb93b8db7398bb43889b23787af3685ad3584aa3382a83280a6327ea3317ca1307a9e2f789c2e7699' +
    '2d75972c73942c71922b6f8f2a6d8d296b8b29698828688627668327648126627f25607c245e7a245d78235b7522597322577121556e20546c' +
    '20526a1f50681e4e651e4d631d4b611c495f1c475c1b465a1a44581a4256194153193f51183d4f173c4d173a4b163849163747153544153342' +
    '14324014303e132f3c132d3a122c38122a3612293411273211263011242e11232c11212a112028101f26101d25101c23111b21111a2011191e' +
    '11181c11161b111519111418111317121215121214131112141011140f10150e0e160e0d170d0b180c0a190c091a0c081b0b071c0b061d0b05' +
    '1e0b04200b04210b03220c02230c02240c02250c01260d01270d01280d012a0e012b0e012c0e002d0e002f0e00300f00310f00330f00340f00' +
    '3510003710003810003911003b11003c11013e12013f12014112014213014413014514014714014815024a15024b16024d16024f1703501803' +
    '521804541905561a05571b06591c075b1d085d1e095f1f0a61200b63210c65230e68240f6a25106c27116e2813702a14732b16752d17772f19' +
    '79301b7b321c7d341e803620823722843924863b26883d288a3f2a8c402c8e422e904430924632944834964a36984c399a4d3b9c4f3d9e513f' +
    'a05341a25544a45746a65948a85a4aaa5c4cac5e4fae6051b06253b26455b46658b6685ab86a5cba6b5fbc6d61be6f63c07165c27368c4756a' +
    'c6776cc8796fca7b71cc7d73ce7f76d08178d2837ad5857dd7877fd98982db8b84dd8d86df8f89e1918be3938ee59590e79792ea9995ec9b97' +
    'ee9d9af09f9cf2a19ff4a3a1f6a5a3f9a7a6fba9a8fdababffadad',
};

/** @typedef {keyof typeof TABLES} PaletteName */

export const PALETTES = /** @type {PaletteName[]} */ (Object.keys(TABLES));

/**
 * The entry of a value between 0 and 1, as matplotlib chooses it.
 * @param {number} position
 */
export function entry(position) {
  return position <= 0 || Number.isNaN(position) ? 0 : Math.min(255, Math.floor(position * 256));
}

/**
 * How much an entry covers of the picture, 0 to 1: nothing at 0, all at the top, so that low attention leaves the picture visible.
 * Slightly above the straight line, so that a tenth of the range can still be seen.
 * @param {number} index
 */
export function coverage(index) {
  return (index / 255) ** 0.75;
}

/**
 * A palette as [red, green, blue] bytes, 768 of them.
 * @param {PaletteName} name
 */
export function rgb(name) {
  return bytesOf(TABLES[name]);
}

/** @param {string} digits */
function bytesOf(digits) {
  return Uint8Array.from({ length: 768 }, (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

/**
 * A palette as 256 pixels of an ImageData (Uint32 view, little-endian RGBA), opaque.
 * @param {PaletteName} name
 */
export function solidPixels(name) {
  return pixels(rgb(name), () => 255);
}

/**
 * The same for laying over a picture: alpha follows the value.
 * @param {PaletteName} name
 */
export function overlayPixels(name) {
  return pixels(rgb(name), (i) => Math.round(255 * coverage(i)));
}

/**
 * The palette of differences as 256 pixels; the place of no difference is 0.5.
 * @param {boolean} isDark   the page
 * @param {boolean} isOver   for laying over a picture: alpha follows the distance from the middle, which leaves the picture as it is
 */
export function divergingPixels(isDark, isOver) {
  return pixels(bytesOf(DIVERGING[isDark ? 'dark' : 'light']), (i) => (isOver ? Math.round(255 * coverage(Math.max(0, Math.abs(2 * i - 255) - 1) * (255 / 254))) : 255));
}

/**
 * The colours of a map: what is signed, effects and ratios alike, has the palette of differences whatever palette is chosen.
 * @param {import('../numbers/colour_range.js').Range} range
 * @param {PaletteName} name
 * @param {{isDark: boolean, isOver: boolean}} where  `isOver`: laid over the picture
 */
export function mapPixels(range, name, { isDark, isOver }) {
  if (isSigned(range)) return divergingPixels(isDark, isOver);
  return isOver ? overlayPixels(name) : solidPixels(name);
}

/**
 * @param {Uint8Array} bytes
 * @param {(index: number) => number} alpha
 */
function pixels(bytes, alpha) {
  return Uint32Array.from({ length: 256 }, (_, i) =>
    pixel(bytes[3 * i], bytes[3 * i + 1], bytes[3 * i + 2], alpha(i)));
}

/** @param {number} red @param {number} green @param {number} blue @param {number} alpha */
export function pixel(red, green, blue, alpha) {
  return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/**
 * A pixel between two opaque ones.
 * @param {number} from
 * @param {number} to
 * @param {number} share  0 gives `from`, 1 gives `to`
 */
export function blend(from, to, share) {
  const weight = Math.round(256 * share);
  const mix = (/** @type {number} */ shift) => {
    const start = (from >>> shift) & 255;
    return start + ((((to >>> shift) & 255) - start) * weight >> 8);
  };
  return pixel(mix(0), mix(8), mix(16), 255);
}

/** A pixel as a colour of CSS. @param {number} colour */
export function css(colour) {
  return `rgb(${colour & 255} ${(colour >>> 8) & 255} ${(colour >>> 16) & 255})`;
}
