"""What the page says, in English and Chinese, and the switch between them."""

from typing import Any

LANGUAGES = ("English", "中文")
TEXTS = {
    "title": ("# Kintsugi: restore, fill, caricature", "# Kintsugi：修复、补全、漫画"),
    "photo": ("Photo", "照片"),
    "model": ("Model", "模型"),
    "download": ("Download", "下载"),
    "before_after": ("Before and after", "前后对比"),
    "restore": ("Restore", "修复"),
    "strength": ("Strength", "修复强度"),
    "scale": ("Enlarge the photo", "放大照片"),
    "find_hint": (
        "Tick the faces to restore. Draw a box around a face that was not found.",
        "勾选要修复的人脸；没有找到的人脸可以用方框圈出。",
    ),
    "found": ("{} faces found.", "找到 {} 张人脸。"),
    "one_face": (
        "The photo is taken as one face that fills it. Draw boxes if it shows more.",
        "整张照片视为一张已对齐的人脸；如有多张人脸，请用方框圈出。",
    ),
    "restored": ("{} faces restored in {:.1f} s.", "已修复 {} 张人脸，用时 {:.1f} 秒。"),
    "no_photo": ("Choose a photo first.", "请先选择照片。"),
    "no_tick": ("No face is ticked: nothing to restore.", "没有勾选任何人脸，无需修复。"),
    "fill": ("Fill a hole", "补全"),
    "do_fill": ("Fill", "补全"),
    "mask_brush": ("Paint what shall be filled", "涂抹要补全的区域"),
    "mask_file": ("Or a mask file (white = hole)", "或上传遮罩文件（白色为空洞）"),
    "lower_faces": ("Cover the lower part of every face", "遮住每张人脸的下半部分"),
    "filled": ("{:.0%} of the photo filled in {:.1f} s.", "已补全照片的 {:.0%}，用时 {:.1f} 秒。"),
    "no_mask": (
        "Paint a hole, give a mask file, or tick the box for faces.",
        "请涂抹空洞、上传遮罩文件，或勾选遮住人脸。",
    ),
    "translate": ("Photo and caricature", "照片与漫画"),
    "direction": ("What to make", "生成"),
    "caricature": ("Caricature", "漫画"),
    "styles": ("Number of styles", "风格数量"),
    "seed": ("Seed", "随机种子"),
    "style_picture": ("Or the style of a picture", "或参考图片的风格"),
    "paste": ("Put every face back into the photo", "把每张脸放回照片"),
    "do_translate": ("Make", "生成"),
    "gallery": ("Results", "结果"),
    "translated": ("Seeds {} to {}, {:.1f} s.", "种子 {} 到 {}，用时 {:.1f} 秒。"),
    "translated_style": ("Style of the picture, {:.1f} s.", "参考图片的风格，用时 {:.1f} 秒。"),
    "data": ("Data set", "数据集"),
    "no_data": (
        "Start the server with `--data FOLDER` to see a folder of pictures, or WebCaricature, here.",
        "启动服务时加上 `--data 文件夹`，即可在此浏览图片文件夹或 WebCaricature。",
    ),
    "person": ("Person", "人物"),
    "everybody": ("everybody", "所有人"),
    "kind": ("Kind", "类型"),
    "every_kind": ("all", "全部"),
    "filter": ("Filter", "过滤器"),
    "all": ("all", "全部"),
    "kept": ("kept", "保留"),
    "rejected": ("rejected", "被拒绝"),
    "missing": ("missing or unreadable", "缺失或无法读取"),
    "landmarks": ("Draw landmarks", "显示关键点"),
    "page": ("Page", "页"),
    "page_of": ("Page {} of {}, {} pictures.", "第 {} / {} 页，共 {} 张图片。"),
    "chosen": ("Chosen", "选中的图片"),
    "to_restore": ("Restore it", "修复这张"),
    "to_translate": ("Stylise it", "生成漫画"),
    "no_model": ("No model for this is served.", "没有可用的模型。"),
}


def text(key: str, language: str | None, *values: object) -> str:
    """A text of TEXTS in a language of LANGUAGES (English for another one), with its values filled in."""
    found = TEXTS[key][LANGUAGES.index(language) if language in LANGUAGES else 0]
    return found.format(*values) if values else found


class Words:
    """The texts of components that follow the language."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.entries: list[tuple[Any, dict[str, Any]]] = []

    def of(self, component: Any, **fields: Any) -> Any:
        """The component, which says the texts of `fields`: field -> key of TEXTS, or for choices a list of
        (key, value)."""
        self.entries.append((component, fields))
        for name, value in fields.items():
            setattr(component, name, _said(value, LANGUAGES[0]))
        return component

    def components(self) -> list[Any]:
        """All that follow the language."""
        return [component for component, _ in self.entries]

    def updates(self, language: str) -> list[dict[str, Any]]:
        """An update for each of `components`, as the browser takes it."""
        return [
            {"__type__": "update", **{name: _said(value, language) for name, value in fields.items()}}
            for _, fields in self.entries
        ]


def _said(value, language):
    if isinstance(value, str):
        return text(value, language)
    return [(text(key, language) if key in TEXTS else key, choice) for key, choice in value]
