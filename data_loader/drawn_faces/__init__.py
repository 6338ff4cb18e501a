"""The procedural face renderer, by idea: geometry (points, modes, view), people (what is drawn at random),
relief (shading), canvas (drawing), hair, eyes, mouth, features, backdrop, and the two styles photo and caricature.

Nothing here is learned and nothing is read from disk: a face is some 120 control points moved by named linear
modes, projected, and painted with polygons, hair strokes and a shaded height field. `rendering.render` is the
entry. Units: 1 is the distance between the eye centres, x to the right, y down, z towards the viewer, origin between
the eyes. Pixel (0, 0) has its centre at (0, 0), as in OpenCV.
"""
