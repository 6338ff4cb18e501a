# The service on the CPU, with the shipped small models or those of a mounted folder:
#   docker build -t kintsugi .
#   docker run -p 127.0.0.1:8000:8000 kintsugi --token TEXT
#   docker run -p 127.0.0.1:8000:8000 -v /data/inference:/models:ro kintsugi --token TEXT --model gpen=/models/gpen_256
FROM python:3.11-slim

# What Paddle's wheel links and the slim image lacks.
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*

RUN useradd --create-home server
WORKDIR /home/server/kintsugi
COPY requirements*.txt ./
RUN pip install --no-cache-dir -r requirements.txt -r requirements-photos.txt -r requirements-serve.txt
COPY --chown=server . .

USER server
EXPOSE 8000
HEALTHCHECK --start-period=180s CMD ["python", "-c", \
  "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/v2/health/ready', timeout=5)"]
ENTRYPOINT ["python", "serve.py", "--host", "0.0.0.0"]
